package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// keyUse gathers when API keys were last used, so that a request with a key
// needs no write of its own. Its zero value is ready.
type keyUse struct {
	mu sync.Mutex
	at map[uuid.UUID]time.Time
}

// note takes a use a minute and key: that is how exactly it is shown.
func (u *keyUse) note(k erasure.APIKey, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if last, waiting := u.at[k.ID]; waiting && now.Sub(last) < time.Minute || now.Sub(k.LastUsed) < time.Minute {
		return
	}
	if u.at == nil {
		u.at = map[uuid.UUID]time.Time{}
	}
	u.at[k.ID] = now
}

func (u *keyUse) take() map[uuid.UUID]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	at := u.at
	u.at = nil
	return at
}

// putBack keeps what was taken and not written for the next time.
func (u *keyUse) putBack(at map[uuid.UUID]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, later := range u.at {
		at[id] = later
	}
	u.at = at
}

// FlushKeyUse writes when keys were last used. The sweeper calls it once
// a minute and at its end; nothing is written where no key was, and what can't
// be written waits for the next call.
func (db *DB) FlushKeyUse(ctx context.Context) error {
	at := db.used.take()
	if len(at) == 0 {
		return nil
	}
	err := db.write(ctx, func(t *tx) error {
		for id, used := range at {
			_, err := t.exec(`UPDATE api_keys SET last_used = $1 WHERE id = $2 AND last_used < $3`,
				used.UnixMilli(), id[:], used.UnixMilli())
			if err != nil {
				return fmt.Errorf("noting the use of an API key: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		db.used.putBack(at)
	}
	return err
}

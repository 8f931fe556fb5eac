package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// lookLife is for how long, by the store's time, a caller who sees a person on
// a list again looks no second time: a script that follows its requests asks
// for the list each minute.
const lookLife = time.Hour

// requestLook is a request of which something is shown. The request's key dies
// with the person.
type requestLook struct {
	request
	key seal.Key
}

// lookAtRequests logs one look at each person whom the actor did not look at
// before: joined requests are about one.
func (db *DB) lookAtRequests(ctx context.Context, actor erasure.Actor, looks []requestLook) error {
	var first []requestLook
	seen := map[uuid.UUID]bool{}
	for _, l := range looks {
		if l.EffaceID != nil && seen[*l.EffaceID] {
			continue
		}
		if l.EffaceID != nil {
			seen[*l.EffaceID] = true
		}
		before, err := db.lookedAt(ctx, actor, l.ID)
		if err != nil {
			return err
		}
		if !before {
			first = append(first, l)
		}
	}
	if len(first) == 0 {
		return db.stands(ctx, actor, erasure.Admin, erasure.Staff)
	}
	return db.write(ctx, func(t *tx) error {
		if _, err := t.stands(actor, erasure.Admin, erasure.Staff); err != nil {
			return err
		}
		for _, l := range first {
			t.logAbout(erasure.Entry{Kind: erasure.ProfileViewed, Actor: actor, Request: &l.ID}, subjectOf(l.request), l.key)
		}
		return nil
	})
}

const lookedQuery = `SELECT kind, entry FROM log_entries WHERE request = $1 AND logged > $2 ORDER BY idx DESC`

// lookedAt reports whether the log tells of a look by the actor within
// [lookLife], since it is known whom the request is about.
func (db *DB) lookedAt(ctx context.Context, actor erasure.Actor, id erasure.RequestID) (looked bool, err error) {
	_, hb := db.now()
	rows, err := db.reads.QueryContext(ctx, lookedQuery, id[:], hb.Store-lookLife.Milliseconds())
	if err != nil {
		return false, err
	}
	other := false
	err = eachRow(rows, func(scan func(...any) error) error {
		var kind erasure.Kind
		var entry []byte
		if err := scan((*string)(&kind), &entry); err != nil {
			return err
		}
		other = other || kind == erasure.RequestAttached || kind == erasure.RequestJoined
		if other || looked || kind != erasure.ProfileViewed {
			return nil
		}
		var e struct {
			Actor string `json:"actor"`
		}
		err := json.Unmarshal(entry, &e)
		looked = e.Actor == actor.String()
		return err
	})
	return looked, err
}

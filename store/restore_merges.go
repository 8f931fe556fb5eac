package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"
)

// redoMerges joins again whom the log tells to be one: a request for one of them
// is for both. What joined them is lost.
func (db *DB) redoMerges(ctx context.Context) error {
	return db.write(ctx, func(t *tx) error {
		for _, merged := range db.restoring.history.merges {
			if len(merged) != 2 {
				continue
			}
			survivor, err := t.profileOfID(merged[0])
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			loser, err := t.profileOfID(merged[1])
			if err == nil && loser.id != survivor.id {
				err = t.movePointers(survivor, loser)
			}
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		return nil
	})
}

// profileOfID finds a profile by its User ID or a former one, also one that is
// being erased.
func (t *tx) profileOfID(id uuid.UUID) (profile, error) {
	return scanProfile(t.row(`SELECT `+profileColumns+` FROM profiles f JOIN profiles p ON p.id = COALESCE(f.leads_to, f.id) WHERE f.efface_id = $1`, id[:]).Scan)
}

package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

const refusedQuery = `SELECT p.efface_id FROM (SELECT other AS id FROM refused_merges WHERE profile = $1
	UNION ALL SELECT profile FROM refused_merges WHERE other = $1 ORDER BY id LIMIT $2) o CROSS JOIN profiles p
	WHERE p.id = o.id AND NOT EXISTS (SELECT 1 FROM claimed c WHERE c.profile = p.id) ORDER BY o.id`

// refused reads whom a profile merges with once the request that stops it is
// cancelled, the oldest first.
func (db *DB) refused(ctx context.Context, p profile) (others []uuid.UUID, err error) {
	return db.userIDs(ctx, refusedQuery, p.id, shownMerges)
}

func (db *DB) userIDs(ctx context.Context, query string, args ...any) (ids []uuid.UUID, err error) {
	rows, err := db.reads.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var id uuid.UUID
		err := scan(scan16(&id))
		ids = append(ids, id)
		return err
	})
	return ids, err
}

const heldUpQuery = `SELECT other FROM held_up WHERE request = $1 ORDER BY other`

// HeldUp lists the User IDs of some that an open request kept from merging with
// the one it is about: while it is pending those that merge after a cancel, and
// from its claim on those that are not erased with it.
func (db *DB) HeldUp(ctx context.Context, r erasure.Request) ([]uuid.UUID, error) {
	switch {
	case r.EffaceID == nil || r.State == erasure.Cancelled:
		return nil, nil
	case r.State != erasure.Pending:
		root := r.ID
		if r.Joined != nil {
			root = *r.Joined
		}
		return db.userIDs(ctx, heldUpQuery, root[:])
	}
	p, err := db.readProfile(ctx, *r.EffaceID)
	if erasure.CodeOf(err) == erasure.CodeNotFound {
		return nil, nil // it was claimed meanwhile
	}
	if err != nil {
		return nil, err
	}
	return db.refused(ctx, p)
}

// fixHeldUp keeps whom a claimed profile would have merged with: once it is
// erased, nothing else says that they were not.
func (t *tx) fixHeldUp(root claim) error {
	if refused, err := t.anyRefused(); err != nil || !refused || !root.profile.Valid {
		return err
	}
	_, err := t.exec(`INSERT INTO held_up (request, other) SELECT r.id, o.efface_id FROM (`+refusedQuery+`) o CROSS JOIN requests r
		WHERE r.id = $3`,
		root.profile.Int64, shownMerges, root.id[:])
	return err
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// DestroySpools destroys lists that were given up, have expired or are done:
// their key and their lines. It reports busy where an open reader of the
// keyring's log still holds a key; then it is to be called again.
func (db *DB) DestroySpools(ctx context.Context) (busy bool, err error) {
	_, hb := db.now()
	ids, err := db.spoolsWhere(ctx, `key_id IS NOT NULL AND stage IN ('done', 'discarded', 'receiving', 'checking', 'checked')
		AND (stage IN ('done', 'discarded') OR expires <= $1)`, hb.Passed())
	if err != nil || len(ids) == 0 {
		return false, err
	}
	err = db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE spools SET stage = $1 WHERE key_id IS NOT NULL AND stage IN ('receiving', 'checking', 'checked') AND expires <= $2`, string(discarded), t.hb.Passed())
		return err
	})
	errs := []error{err}
	for _, id := range ids {
		waits, err := db.destroySpool(ctx, id)
		busy = busy || waits
		errs = append(errs, err) // one list's error is not to keep the others
	}
	return busy, errors.Join(errs...)
}

func (db *DB) spoolsWhere(ctx context.Context, where string, args ...any) (ids []erasure.BatchID, err error) {
	rows, err := db.reads.QueryContext(ctx, `SELECT batch FROM spools WHERE `+where+` ORDER BY batch`, args...)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var id erasure.BatchID
		err := scan(scan16(&id))
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// destroySpool destroys the key of a list that is done or given up, then its
// rows, one at a time: each is some hundred kilobytes that go through the
// write-ahead log, perhaps on a disk that is full. Each step may be repeated.
func (db *DB) destroySpool(ctx context.Context, id erasure.BatchID) (busy bool, err error) {
	var ref seal.Ref
	err = db.reads.QueryRowContext(ctx, `SELECT key_row, key_id FROM spools
		WHERE batch = $1 AND stage IN ('done', 'discarded') AND key_id IS NOT NULL`, id[:]).Scan(&ref.Row, scan16(&ref.ID))
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var unknown *seal.UnknownKeys // to a keyring that an older copy was put in the place of
	if err := db.keyring.Destroy(ctx, []seal.Ref{ref}); err != nil && !errors.As(err, &unknown) {
		return false, fmt.Errorf("destroying the key of %s: %w", id, err)
	}
	if busy, err = db.keyring.Truncate(ctx); busy || err != nil {
		return busy, err
	}
	for more := int64(1); more > 0 && err == nil; {
		err = db.write(ctx, func(t *tx) (err error) {
			more, err = t.exec(`DELETE FROM spooled WHERE batch = $1 AND n = (SELECT MIN(n) FROM spooled WHERE batch = $1)`, id[:])
			return err
		})
	}
	if err != nil {
		return false, err
	}
	return false, db.write(ctx, func(t *tx) error {
		if _, err := t.exec(`UPDATE spools SET key_row = NULL, key_id = NULL, reason = NULL WHERE batch = $1`, id[:]); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM spools WHERE batch = $1 AND stage = $2`, id[:], string(discarded))
		return err
	})
}

package store

import (
	"context"
	"fmt"

	"github.com/efface/efface/store/erasure"
)

// finishRestore makes a store of a backup that was put in place: whom its
// identifiers lead to is found anew, and what was pending may be cancelled for a
// full window again, for a cancel that came after the backup is not in it.
// Nothing is served before. A crash repeats it.
func (db *DB) finishRestore(ctx context.Context) error {
	var backup bool
	if err := db.reads.QueryRowContext(ctx, `SELECT backup FROM store`).Scan(&backup); err != nil || !backup {
		return err
	}
	if !db.options.Serve {
		return erasure.Errorf(erasure.CodeConflict, "The store in %s is a backup that was put in place; start efface serve once to make it ready.", db.options.Dir)
	}
	db.log.Info("this store is a backup: whom its identifiers lead to is found anew")
	closed, err := db.rebuildLookup(ctx)
	if err != nil {
		return fmt.Errorf("finding anew whom identifiers lead to: %w", err)
	}
	var renewed int64
	err = db.write(ctx, func(t *tx) (err error) {
		window := db.options.CancelWindow
		renewed, err = t.exec(`UPDATE requests SET due = $1, cancel_before = $2 WHERE state = 'pending'`,
			t.hb.Store+window.Milliseconds(), t.now.Add(window).UnixMilli())
		if err != nil {
			return err
		}
		t.log(erasure.Entry{Kind: erasure.StoreRestored, Actor: erasure.System})
		_, err = t.exec(`UPDATE store SET backup = 0`)
		return err
	})
	if err == nil {
		db.log.Info("the backup is in place", "pending_requests_with_a_new_window", renewed, "sources_of_erased_people", closed)
	}
	return err
}

package store

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/efface/efface/store/seal"
)

// ScrubWhole is Scrub as it is where SQLite was built without sqlite_dbpage.
func (db *DB) ScrubWhole(ctx context.Context) (Scrubbed, error) { return db.scrub(ctx, db.vacuum) }

// Fingerprints reads a column of them.
func (db *DB) Fingerprints(t testing.TB, query string) (macs [][]byte) {
	t.Helper()
	rows, err := db.reads.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var mac []byte
		err := scan(&mac)
		macs = append(macs, mac)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return macs
}

// TruncateDatabase empties the database's WAL and does nothing else of a scrub.
func (db *DB) TruncateDatabase(t testing.TB) {
	t.Helper()
	path := filepath.Join(db.options.Dir, databaseFile)
	pool, err := seal.OpenPool(path, seal.DSNOptions{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if busy, err := seal.Truncate(t.Context(), pool, path); busy || err != nil {
		t.Fatalf("truncating the WAL: %t, %v", busy, err)
	}
}

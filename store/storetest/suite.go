package storetest

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/seal"
)

// Scale gives a test its count: the full one with EFFACE_SOAK=1, else a tenth.
func Scale(t testing.TB, full int) int {
	t.Helper()
	if os.Getenv("EFFACE_SOAK") == "1" {
		return full
	}
	return max(1, full/10)
}

// InDir places the store in a directory that the test knows.
func InDir(dir string) func(*store.Options) {
	return func(o *store.Options) { o.Dir = dir }
}

// Raw opens the database of a directory beside the store, to read the rows
// that no method shows.
func Raw(t testing.TB, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open(seal.Driver, seal.DSN(filepath.Join(dir, "efface.db"), seal.DSNOptions{}))
	if err != nil {
		t.Fatalf("opening the database: %v", err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Dump reads every row of some tables as text, one line a row, in the order of
// their first columns.
func Dump(t testing.TB, db *sql.DB, tables ...string) (lines []string) {
	t.Helper()
	for _, table := range tables {
		rows, err := db.QueryContext(t.Context(), `SELECT * FROM `+table+` ORDER BY 1, 2`)
		if err != nil {
			t.Fatalf("reading %s: %v", table, err)
		}
		lines = append(lines, dumpRows(t, table, rows)...)
	}
	return lines
}

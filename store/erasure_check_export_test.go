package store

import (
	"context"
	"testing"
)

// DeleteRowsAnd is DeleteRows, with something that happens between the deletion
// and the check.
func (db *DB) DeleteRowsAnd(ctx context.Context, between func()) (completed int, err error) {
	gone, _, err := db.deleteRows(ctx, 4000)
	if err != nil {
		return 0, err
	}
	between()
	return db.checkAndComplete(ctx, gone)
}

// CheckedTables are the tables that the check of an erasure asks.
func CheckedTables() map[string]bool {
	tables := map[string]bool{}
	for _, c := range checked {
		tables[c.table] = true
	}
	return tables
}

// Tables lists those of the database.
func (db *DB) Tables(t testing.TB) (tables []string) {
	t.Helper()
	rows, err := db.reads.QueryContext(t.Context(), `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		tables = append(tables, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

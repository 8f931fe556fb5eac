package store

import (
	"errors"
	"testing"

	"github.com/efface/efface/store/seal"
)

// NamedKeys lists every key that some row names, by reading all rows of all
// tables that have a column key_id.
func (db *DB) NamedKeys(t testing.TB) (refs []seal.Ref) {
	t.Helper()
	for _, table := range db.TablesThatNameKeys(t) {
		rows, err := db.reads.QueryContext(t.Context(), `SELECT key_row, key_id FROM `+table+` WHERE key_id IS NOT NULL`)
		if err != nil {
			t.Fatal(err)
		}
		err = eachRow(rows, func(scan func(...any) error) error {
			var ref seal.Ref
			err := scan(&ref.Row, scan16(&ref.ID))
			refs = append(refs, ref)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return refs
}

// TablesThatNameKeys asks the schema.
func (db *DB) TablesThatNameKeys(t testing.TB) (tables []string) {
	t.Helper()
	rows, err := db.reads.QueryContext(t.Context(), `SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND c.name = 'key_id' ORDER BY m.name`)
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

// SweptTables lists the tables that a sweep reads names from.
func SweptTables() (tables []string) {
	for _, n := range namings {
		tables = append(tables, n.table)
	}
	return tables
}

// Alive reports whether a key is in the keyring and not destroyed.
func (db *DB) Alive(t testing.TB, ref seal.Ref) bool {
	t.Helper()
	_, err := db.keyring.Key(t.Context(), ref)
	if err != nil && !errors.Is(err, seal.ErrDestroyed) {
		t.Fatal(err)
	}
	return err == nil
}

// MaxKeyRow is how far the keyring reaches.
func (db *DB) MaxKeyRow(t testing.TB) int64 {
	t.Helper()
	n, err := db.keyring.MaxRow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// LiveKeys lists the keys up to a row that are not destroyed.
func (db *DB) LiveKeys(t testing.TB, highest int64) (live []seal.Ref) {
	t.Helper()
	for after := int64(0); after < highest; {
		refs, destroyed, err := db.keyring.Keys(t.Context(), after, 1000)
		if err != nil || len(refs) == 0 {
			t.Fatalf("reading the keyring from row %d: %v", after, err)
		}
		for i, ref := range refs {
			after = ref.Row
			if !destroyed[i] && ref.Row <= highest {
				live = append(live, ref)
			}
		}
	}
	return live
}

// Count reads one number.
func (db *DB) Count(t testing.TB, query string) (n int) {
	t.Helper()
	if err := db.reads.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

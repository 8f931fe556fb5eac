package seal

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
)

// settings is what every connection of Efface must say of itself.
var settings = map[string]string{
	"journal_mode":       "wal",
	"synchronous":        "2", // FULL
	"secure_delete":      "1",
	"temp_store":         "2", // MEMORY
	"mmap_size":          "0",
	"cell_size_check":    "1",
	"trusted_schema":     "0",
	"recursive_triggers": "1",
	"foreign_keys":       "1",
	"auto_vacuum":        "0",
	"busy_timeout":       "10000",
	"query_only":         "0",
}

func checkSettings(t *testing.T, db *sql.DB, differing map[string]string) {
	t.Helper()
	var conns []*sql.Conn // all at once, so that each is another one
	for range db.Stats().MaxOpenConnections {
		c, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	for i, c := range conns {
		for name, want := range settings {
			if d, ok := differing[name]; ok {
				want = d
			}
			var got string
			err := c.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got)
			if err != nil || got != want {
				t.Errorf("connection %d: %s = %q, %v; want %q", i, name, got, err, want)
			}
		}
	}
}

// I1, I2: nothing is written beside the store's own files.
func TestEveryConnectionHasTheSettings(t *testing.T) {
	k := openTest(t, t.TempDir())
	for name, c := range map[string]struct {
		db        *sql.DB
		differing map[string]string
	}{
		"write":    {k.write, nil},
		"truncate": {k.truncate, map[string]string{"busy_timeout": "100"}},
		"reads":    {k.reads, map[string]string{"query_only": "1"}},
	} {
		t.Run(name, func(t *testing.T) { checkSettings(t, c.db, c.differing) })
	}
}

func TestDSNOpensAnyPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%41&e=f.db")
	if err := CreateFile(path); err != nil {
		t.Fatal(err)
	}
	db, err := OpenPool(path, DSNOptions{CacheKiB: 512}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var at string
	if err := db.QueryRow(`SELECT file FROM pragma_database_list`).Scan(&at); err != nil || at != path {
		t.Errorf("opened %q, %v", at, err)
	}
	checkSettings(t, db, nil)
	var cache int
	if err := db.QueryRow(`PRAGMA cache_size`).Scan(&cache); err != nil || cache != -512 {
		t.Errorf("cache_size = %d, %v", cache, err)
	}
}

func TestDSNNeverMakesAFile(t *testing.T) {
	db, err := OpenPool(filepath.Join(t.TempDir(), "none.db"), DSNOptions{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ping(); err == nil {
		t.Error("a file was made under the umask")
	}
}

func TestTransactionsBeginAsWriters(t *testing.T) {
	k := openTest(t, t.TempDir())
	tx, err := k.write.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	other, err := OpenPool(k.path, DSNOptions{BusyTimeout: 1e6}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if tx, err := other.Begin(); err == nil {
		tx.Rollback()
		t.Error("a second writer began beside the first")
	}
}

// One update in place is what the keyring's promise rests on.
func TestUpdateUsesTheRowNumberAlone(t *testing.T) {
	k := openTest(t, t.TempDir())
	rows, err := k.write.Query("EXPLAIN QUERY PLAN "+updateKey, []byte{}, 1, []byte{})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan += fmt.Sprintln(detail)
	}
	if want := "SEARCH keys USING INTEGER PRIMARY KEY (rowid=?)\n"; plan != want || rows.Err() != nil {
		t.Errorf("plan = %q, %v", plan, rows.Err())
	}
}

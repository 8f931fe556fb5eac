package store_test

import (
	"database/sql"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/storetest"
)

// A log that was begun without a tree gets the one that it would have grown.
func TestAnOlderLogGetsItsTree(t *testing.T) {
	d := openOnDisk(t)
	for _, user := range []string{"u1", "u2", "u3"} {
		d.erased(t, user)
	}
	must(t, second(d.Checkpoint(t.Context())))
	raw := storetest.Raw(t, d.dir)
	undoTree(t, raw)
	must(t, raw.Close())
	d.DB = storetest.Open(t, storetest.InDir(d.dir), storetest.WithClock(d.clock), func(o *store.Options) { o.Serve = true })
	storetest.CheckLog(t, d.dir)
	d.erased(t, "u4")
	must(t, second(d.Checkpoint(t.Context())))
	storetest.CheckLog(t, d.dir)
}

var added = regexp.MustCompile(`(?m)^(?:CREATE (TABLE) (\w+)|ALTER TABLE (\w+) ADD COLUMN (\w+))`)

// undoTree makes a store one of before the tree's migration.
func undoTree(t *testing.T, raw *sql.DB) {
	t.Helper()
	var since []byte
	for _, name := range []string{"0011_tree.sql", "0012_from_log.sql"} {
		script, err := os.ReadFile(filepath.Join("migrations", name))
		must(t, err)
		since = append(since, script...)
	}
	for _, m := range added.FindAllStringSubmatch(string(since), -1) {
		statement := `DROP TABLE ` + m[2]
		if m[1] == "" {
			statement = `ALTER TABLE ` + m[3] + ` DROP COLUMN ` + m[4]
		}
		must(t, second(raw.Exec(statement)))
	}
	must(t, second(raw.Exec(`DELETE FROM schema_version WHERE n >= 11`)))
}

// With another key nothing that was signed before could be verified, so that no
// store makes a second one.
func TestAStoreKeepsTheKeyOfItsLog(t *testing.T) {
	o := store.Options{Dir: filepath.Join(t.TempDir(), "data")}
	other := store.Options{Dir: filepath.Join(t.TempDir(), "other")}
	for _, o := range []store.Options{o, other} {
		db, err := store.Open(t.Context(), o)
		must(t, err)
		must(t, db.Close())
	}
	key := filepath.Join(o.Dir, "log.key")
	good, err := os.ReadFile(key)
	must(t, err)
	for what, spoil := range map[string]func() error{
		"missing":             func() error { return os.Remove(key) },
		"another store's":     func() error { return os.Rename(filepath.Join(other.Dir, "log.key"), key) },
		"cut off":             func() error { return os.WriteFile(key, good[:len(good)-9], 0o600) },
		"readable by others":  func() error { return os.Chmod(key, 0o644) },
		"of another key pair": func() error { return os.WriteFile(key, anotherKey(t, good), 0o600) },
	} {
		must(t, os.WriteFile(key, good, 0o600))
		must(t, os.Chmod(key, 0o600))
		must(t, spoil())
		if _, err := store.Open(t.Context(), o); erasure.CodeOf(err) != erasure.CodeInvalid {
			t.Errorf("with a log key that is %s, opening gives %v", what, err)
		}
		must(t, os.WriteFile(key, good, 0o600))
		must(t, os.Chmod(key, 0o600))
		db, err := store.Open(t.Context(), o)
		must(t, err)
		must(t, db.Close())
	}
}

// anotherKey makes a key of the same store as another.
func anotherKey(t *testing.T, key []byte) []byte {
	t.Helper()
	_, rest, _ := strings.Cut(string(key), "efface/")
	id, err := hex.DecodeString(rest[:32])
	must(t, err)
	made, err := evidence.NewKey([16]byte(id))
	must(t, err)
	return []byte(made)
}

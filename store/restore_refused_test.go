package store_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/storetest"
)

func TestARefusedRestoreLeavesNothingBehind(t *testing.T) {
	top := t.TempDir()
	for _, there := range []bool{false, true} {
		dir := filepath.Join(top, "a", "data")
		if there {
			must(t, os.MkdirAll(dir, 0o700))
		}
		before := tree(t, top)
		_, err := store.RestoreBackup(t.Context(), store.Options{Dir: dir}, store.Restore{From: t.TempDir()})
		if erasure.CodeOf(err) != erasure.CodeInvalid {
			t.Errorf("the restore is refused with %v", err)
		}
		if after := tree(t, top); after != before {
			t.Errorf("there was\n%s and is\n%s", before, after)
		}
	}
}

// tree lists what is in a directory.
func tree(t *testing.T, dir string) (all string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error { all += path + "\n"; return err }))
	return all
}

// What can't be read is counted, and stops nobody else from being found.
func TestIdentifiersThatCannotBeReadAreCounted(t *testing.T) {
	d := openOnDisk(t)
	for _, user := range []string{"u1", "u2"} {
		storetest.Identify(t, d.DB, "shop", "user_id", user, "email", user+"@example.com")
	}
	backup, keyring, _ := d.backup(t)
	firstKey := func(raw *sql.DB) (row int64) {
		must(t, raw.QueryRow(`SELECT key_row FROM fragments ORDER BY id`).Scan(&row))
		return row
	}
	for name, c := range map[string]struct {
		damage func(t *testing.T, r *store.Restore)
		unread int
	}{
		"a value": {func(t *testing.T, r *store.Restore) {
			remade(backup, `UPDATE identifiers SET sealed = zeroblob(60) WHERE fragment = (SELECT MIN(id) FROM fragments) AND n = 1`)(t, &store.Options{Dir: d.dir}, r)
		}, 1},
		"the row of a key": {func(t *testing.T, r *store.Restore) {
			row := firstKey(storetest.Raw(t, d.dir))
			changedKeyring(keyring, func(b []byte) []byte { return b })(t, nil, r)
			raw, err := sql.Open(seal.Driver, seal.DSN(r.KeyringFrom, seal.DSNOptions{}))
			must(t, err)
			must(t, second(raw.Exec(`UPDATE keys SET k = CAST(substr(k, 1, length(k) - 1) || x'55' AS BLOB) WHERE n = $1`, row)))
			must(t, second(raw.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)))
			must(t, raw.Close())
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := store.Restore{From: backup, KeyringFrom: keyring}
			c.damage(t, &r)
			after, did := d.restoredFrom(t, r)
			if did.Unread != c.unread || !after.finds(t, "u2") {
				t.Errorf("the restore tells of %+v", did)
			}
		})
	}
}

// Once all is in place, what can't be destroyed stops nothing, and is told.
func TestKeysThatCannotBeDestroyedAfterARestoreAreTold(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 4)
	older, _, _ := d.backup(t)
	d = d.again(t) // with keys made since
	tellPerson(t, d.DB, "u2", 4)
	_, keyring, _ := d.backup(t)
	o := store.Options{Dir: secretsTo(t, d.dir), Clock: d.clock, Witness: filepath.Join(d.dir, "witness"), Serve: true}
	journal := filepath.Join(o.Dir, "keyring.db-journal") // SQLite opens no database beside such a directory
	must(t, os.Mkdir(journal, 0o700))
	r := store.Restore{From: older, KeyringFrom: keyring}
	_, err := store.RestoreBackup(t.Context(), o, r)
	if erasure.CodeOf(err) == "" || !strings.Contains(err.Error(), "run the same efface restore again") {
		t.Errorf("the restore ends with %v", err)
	}
	must(t, os.Remove(journal))
	alive := func() (n int) {
		raw, err := sql.Open(seal.Driver, seal.DSN(filepath.Join(o.Dir, "keyring.db"), seal.DSNOptions{}))
		must(t, err)
		must(t, raw.QueryRow(`SELECT COUNT(*) FROM keys WHERE substr(k, 17) <> zeroblob(length(k) - 16)`).Scan(&n))
		must(t, raw.Close())
		return n
	}
	before := alive()
	did, err := store.RestoreBackup(t.Context(), o, r)
	if must(t, err); did.Unnamed == 0 || before-alive() != did.Unnamed {
		t.Errorf("run again it tells of %+v, and of %d keys %d are left", did, before, alive())
	}
	db, err := store.Open(t.Context(), o)
	must(t, err)
	must(t, db.Close())
	storetest.CheckLog(t, o.Dir)
}

// Whichever file is damaged, it is the one that is named.
func TestARestoreNamesTheFileThatIsDamaged(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 300)
	backup, keyring, _ := d.backup(t)
	spoil := func(b []byte) []byte { // every page but the first
		for i := 4096; i+8 < len(b); i += 4096 {
			copy(b[i:], bytes.Repeat([]byte{0xff}, 8))
		}
		return b
	}
	spoiled := func(t *testing.T, path string) {
		b, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, spoil(b), 0o600))
	}
	for name, c := range map[string]struct {
		place func(t *testing.T, o *store.Options, r *store.Restore)
		says  string
	}{
		"the copy of the keyring": {changedKeyring(keyring, spoil), "The copy of the keyring"},
		"the backup's database": {func(t *testing.T, o *store.Options, r *store.Restore) {
			r.From = copied(t, backup)
			spoiled(t, filepath.Join(r.From, "efface.db"))
			b, err := os.ReadFile(filepath.Join(r.From, "efface.db"))
			must(t, err)
			manifested(r.From, func(m *store.Manifest) { m.SHA256 = fmt.Sprintf("%x", sha256.Sum256(b)) })(t, o, r)
		}, "The efface.db of the backup in"},
		"the keyring that is there": {func(t *testing.T, o *store.Options, r *store.Restore) {
			b, err := os.ReadFile(keyring)
			must(t, err)
			place(t, o.Dir, "keyring.db", string(spoil(b)))
			r.KeyringFrom = ""
		}, "is damaged; move it aside"},
		"the database that is there": {func(t *testing.T, o *store.Options, r *store.Restore) {
			b, err := os.ReadFile(filepath.Join(backup, "efface.db"))
			must(t, err)
			place(t, o.Dir, "efface.db", string(spoil(b)))
			r.From = ""
		}, "put a backup in place with --from"},
	} {
		t.Run(name, func(t *testing.T) {
			o := store.Options{Dir: secretsTo(t, d.dir), Clock: d.clock, Witness: filepath.Join(d.dir, "witness")}
			r := store.Restore{From: backup, KeyringFrom: keyring}
			c.place(t, &o, &r)
			_, err := store.RestoreBackup(t.Context(), o, r)
			if erasure.CodeOf(err) != erasure.CodeInvalid || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "restoring") {
				t.Errorf("the restore is refused with %v", err)
			}
			if _, err := os.Stat(filepath.Join(o.Dir, "restoring")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("what was prepared is left: %v", err)
			}
		})
	}
}

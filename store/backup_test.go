package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/storetest"
)

// backup makes a backup of a store with its keyring, and returns where.
func (d onDisk) backup(t *testing.T) (dir, keyring string, m store.Manifest) {
	t.Helper()
	dir, keyring = filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "keyring.db")
	m, err := d.Backup(t.Context(), erasure.Terminal, dir, keyring)
	must(t, err)
	return dir, keyring, m
}

// secretsTo copies what a restore needs beside the backup to a new directory.
func secretsTo(t testing.TB, from string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "restored")
	must(t, os.Mkdir(dir, 0o700))
	for _, name := range []string{"master.key", "log.key"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	return dir
}

// restoredFrom restores a backup into a new directory, by the store's own witness,
// and opens it.
func (d onDisk) restoredFrom(t *testing.T, r store.Restore) (onDisk, store.Restored) {
	t.Helper()
	witness := filepath.Join(d.dir, "witness")
	d.dir = secretsTo(t, d.dir)
	did, err := store.RestoreBackup(t.Context(), store.Options{Dir: d.dir, Clock: d.clock, Witness: witness}, r)
	must(t, err)
	d.DB = storetest.Open(t, storetest.InDir(d.dir), storetest.WithClock(d.clock), func(o *store.Options) { o.Serve, o.Witness = true, witness })
	return d, did
}

func (d onDisk) finds(t *testing.T, user string) bool {
	t.Helper()
	found, err := d.Find(t.Context(), storetest.Identifiers("user_id", user)[0])
	must(t, err)
	byEmail, err := d.Find(t.Context(), storetest.Identifiers("email", user+"@example.com")[0])
	must(t, err)
	if len(found) != len(byEmail) {
		t.Errorf("%s is found by one identifier and not by the other", user)
	}
	return len(found) == 1
}

func TestABackupCannotBeSearchedAndCanBePutInPlace(t *testing.T) {
	d := openOnDisk(t)
	for _, user := range []string{"u1", "u2", "u3"} {
		tellPerson(t, d.DB, user, 4)
	}
	storetest.Join(t, d.DB, "u1", "g1")
	storetest.Identify(t, d.DB, "web", "anonymous_id", "a1", "email", "u1@example.com")
	d.erased(t, "gone")
	pending := storetest.Requested(t, d.DB, "user_id", "u2")
	d.clock.Advance(23 * time.Hour)

	backup, keyring, m := d.backup(t)
	copied, err := os.ReadFile(filepath.Join(backup, "efface.db"))
	must(t, err)
	looked := t.TempDir() // reading it would change the file
	must(t, os.WriteFile(filepath.Join(looked, "efface.db"), copied, 0o600))
	source, restored := storetest.Raw(t, d.dir), storetest.Raw(t, looked)
	rows, err := source.Query(`SELECT mac FROM lookup`)
	must(t, err)
	for rows.Next() {
		var mac []byte
		must(t, rows.Scan(&mac))
		if bytes.Contains(copied, mac) {
			t.Errorf("the look-up fingerprint %x is in the backup", mac)
		}
	}
	must(t, rows.Err())
	var problem string
	if must(t, restored.QueryRow(`PRAGMA integrity_check`).Scan(&problem)); problem != "ok" {
		t.Errorf("the copy: %s", problem)
	}
	must(t, restored.Close())
	v, err := evidence.ParseVerifier(d.LogKey())
	must(t, err)
	if c, err := evidence.OpenCheckpoint(m.Checkpoint, v); err != nil || c.Size < m.Entries {
		t.Errorf("the manifest's checkpoint signs %d of %d entries, %v", c.Size, m.Entries, err)
	}

	after, _ := d.restoredFrom(t, store.Restore{From: backup, KeyringFrom: keyring})
	tables := []string{"lookup", "profiles", "fragments", "identifiers", "traits", "records", "messages", "memberships", "sqlite_sequence", "sqlite_stat1"}
	was, is := storetest.Dump(t, source, tables...), storetest.Dump(t, storetest.Raw(t, after.dir), tables...)
	if !slices.Equal(was, is) {
		t.Errorf("the store put in place has %d rows and not %d:\n%q\n%q", len(is), len(was), is, was)
	}
	storetest.CheckLog(t, after.dir)
	for user, want := range map[string]bool{"u1": true, "u2": true, "u3": true, "gone": false} {
		if after.finds(t, user) != want {
			t.Errorf("%s is found: %v", user, !want)
		}
	}
	r, err := after.Request(t.Context(), pending.ID)
	must(t, err)
	if r.Remaining < store.DefaultCancelWindow-time.Minute {
		t.Errorf("what was pending may be cancelled for another %s", r.Remaining)
	}
}

func TestABackupPutInPlaceByHandIsNotServed(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 4)
	backup, keyring, _ := d.backup(t)
	dir := secretsTo(t, d.dir)
	for name, from := range map[string]string{"efface.db": filepath.Join(backup, "efface.db"), "keyring.db": keyring} {
		b, err := os.ReadFile(from)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	for _, serve := range []bool{false, true} {
		_, err := store.Open(t.Context(), store.Options{Dir: dir, Clock: d.clock, Serve: serve})
		if erasure.CodeOf(err) != erasure.CodeConflict {
			t.Errorf("a backup is opened, by a server %v: %v", serve, err)
		}
	}
}

func TestABackupIsWrittenOverNothing(t *testing.T) {
	d := openOnDisk(t)
	dir, keyring, _ := d.backup(t)
	for what, to := range map[string][2]string{
		"a backup":         {dir, ""},
		"a keyring's copy": {filepath.Join(t.TempDir(), "new"), keyring},
	} {
		if _, err := d.Backup(t.Context(), erasure.Terminal, to[0], to[1]); erasure.CodeOf(err) != erasure.CodeConflict {
			t.Errorf("%s is written over: %v", what, err)
		}
	}
}

// A copy is refused where it would be lost with the store, where the keyring would
// lie with what it opens, and where a disk is not mounted. Nothing is made then.
func TestABackupIsKeptApart(t *testing.T) {
	d := openOnDisk(t)
	to := t.TempDir()
	link := filepath.Join(to, "link")
	must(t, os.Symlink(d.dir, link))
	for what, c := range map[string]struct{ dir, keyring, says string }{
		"the store's own":         {d.dir, "", "another place than"},
		"in the store's own":      {filepath.Join(d.dir, "backup"), "", "another place than"},
		"in it by a link":         {filepath.Join(link, "backup"), "", "another place than"},
		"in the witness":          {filepath.Join(d.dir, "witness", "backup"), "", "another place than"},
		"the keyring itself":      {filepath.Join(to, "new"), filepath.Join(d.dir, "keyring.db"), "another place than"},
		"the keyring in the copy": {filepath.Join(to, "new"), filepath.Join(to, "new", "keyring.db"), "to be deleted within days"},
		"no disk":                 {filepath.Join(to, "none", "new"), "", "whether its disk is mounted"},
	} {
		if _, err := d.Backup(t.Context(), erasure.Terminal, c.dir, c.keyring); erasure.CodeOf(err) != erasure.CodeInvalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: the backup ends with %v", what, err)
		}
	}
	if files, err := os.ReadDir(to); err != nil || len(files) != 1 {
		t.Errorf("there are %v, %v", files, err)
	}
}

// A backup that fails leaves no part of one, so that the same command may be given
// again.
func TestABackupThatFailsLeavesNothing(t *testing.T) {
	d := openOnDisk(t)
	to := filepath.Join(t.TempDir(), "backup")
	if _, err := d.Backup(t.Context(), erasure.Terminal, to, filepath.Join(t.TempDir(), "none", "keyring.db")); err == nil {
		t.Fatal("a keyring is copied to no directory")
	}
	must(t, second(d.Backup(t.Context(), erasure.Terminal, to, "")))
}

// What a claim sets aside to check an erasure by stays out of backups as well.
func TestABackupOfAnErasureUnderWayCannotBeSearched(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 4)
	storetest.Requested(t, d.DB, "user_id", "u1")
	d.clock.Advance(store.DefaultCancelWindow)
	must(t, second(d.ClaimDue(t.Context(), 1)))
	backup, _, _ := d.backup(t)
	copied, err := os.ReadFile(filepath.Join(backup, "efface.db"))
	must(t, err)
	rows, err := storetest.Raw(t, d.dir).Query(`SELECT mac FROM lookup UNION SELECT value FROM erasure_checks WHERE kind = 'lookup'`)
	must(t, err)
	n := 0
	for rows.Next() {
		var mac []byte
		must(t, rows.Scan(&mac))
		if n++; bytes.Contains(copied, mac) {
			t.Errorf("the look-up fingerprint %x is in the backup", mac)
		}
	}
	if must(t, rows.Err()); n == 0 {
		t.Error("there are no fingerprints to look for")
	}
}

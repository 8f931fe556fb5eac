package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// Wherever a kill stops a restore that puts things in place, nothing is opened
// from one half of it, and the same restore goes on.
func TestARestoreKilledBetweenItsMovesGoesOn(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "stays", 4)
	tellPerson(t, d.DB, "erased", 4)
	backup, keyring, _ := d.backup(t)
	storetest.Requested(t, d.DB, "user_id", "erased")
	d.clock.Advance(store.DefaultCancelWindow)
	storetest.EraseAll(t, d.DB)
	moves := [][2]string{{"keyring.db.restoring", "keyring.db"}, {"restoring/efface.db", "efface.db"}}
	for moved := range len(moves) + 1 {
		dir := secretsTo(t, d.dir)
		o := store.Options{Dir: dir, Clock: d.clock, Witness: copied(t, filepath.Join(d.dir, "witness"))}
		r := store.Restore{From: backup, KeyringFrom: keyring}
		must(t, store.PrepareRestore(t.Context(), o, r))
		for _, m := range moves[:moved] {
			must(t, os.Rename(filepath.Join(dir, m[0]), filepath.Join(dir, m[1])))
		}
		if moved < len(moves) {
			if _, err := store.Open(t.Context(), o); erasure.CodeOf(err) != erasure.CodeConflict || !strings.Contains(err.Error(), "run the same efface restore again") {
				t.Errorf("after %d moves the store is opened with %v", moved, err)
			}
		}
		did, err := store.RestoreBackup(t.Context(), o, r)
		if err != nil || did.Ended != 1 || did.MadeAt.IsZero() {
			t.Errorf("after %d moves the restore ends with %+v, %v", moved, did, err)
			continue
		}
		after := onDisk{storetest.Open(t, storetest.InDir(dir), storetest.WithClock(d.clock), func(served *store.Options) { served.Serve, served.Witness = true, o.Witness }), dir, d.clock}
		if !after.finds(t, "stays") || after.finds(t, "erased") {
			t.Errorf("after %d moves somebody is lost or back", moved)
		}
		storetest.CheckLog(t, dir)
	}
}

// A kill while the keys that nothing names are destroyed leaves a part of the live
// keyring in its WAL.
func TestARestoreKilledWithTheLiveKeyringGoesOn(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "stays", 4)
	backup, keyring, _ := d.backup(t)
	dir := secretsTo(t, d.dir)
	must(t, os.Rename(keyring, filepath.Join(dir, "keyring.db")))
	o := store.Options{Dir: dir, Clock: d.clock, Witness: filepath.Join(d.dir, "witness")}
	must(t, store.PrepareRestore(t.Context(), o, store.Restore{From: backup}))
	must(t, os.Rename(filepath.Join(dir, "restoring/efface.db"), filepath.Join(dir, "efface.db")))
	place(t, dir, "keyring.db-wal", "what SQLite leaves out, for it is no whole frame")
	must(t, second(store.RestoreBackup(t.Context(), o, store.Restore{From: backup})))
}

// Another restore than the one that was killed begins anew.
func TestAnotherRestoreDoesNotGoOnWithAKilledOne(t *testing.T) {
	d := openOnDisk(t)
	_, olderKeyring, _ := d.backup(t)
	tellPerson(t, d.DB, "later", 4)
	newer, newerKeyring, _ := d.backup(t)
	dir := secretsTo(t, d.dir)
	witness := filepath.Join(d.dir, "witness")
	o := store.Options{Dir: dir, Clock: d.clock, Witness: copied(t, witness)}
	must(t, store.PrepareRestore(t.Context(), o, store.Restore{From: newer, KeyringFrom: olderKeyring, AcceptLoss: true}))
	o.Witness = witness
	must(t, second(store.RestoreBackup(t.Context(), o, store.Restore{From: newer, KeyringFrom: newerKeyring})))
	after := onDisk{storetest.Open(t, storetest.InDir(dir), storetest.WithClock(d.clock), func(served *store.Options) { served.Witness = o.Witness }), dir, d.clock}
	if !after.finds(t, "later") {
		t.Error("whose key the newer copy of the keyring has is lost")
	}
}

// What is left of a store whose database is gone is not taken for a new one.
func TestNoStoreIsMadeBesideWhatIsLeftOfOne(t *testing.T) {
	lost := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Dir: lost})
	must(t, err)
	must(t, db.Close())
	for _, left := range []string{"keyring.db", "log.key", "witness"} {
		dir := filepath.Join(t.TempDir(), "data")
		must(t, os.Mkdir(dir, 0o700))
		must(t, os.Rename(filepath.Join(lost, left), filepath.Join(dir, left)))
		_, err := store.Open(t.Context(), store.Options{Dir: dir})
		if erasure.CodeOf(err) != erasure.CodeInvalid || !strings.Contains(err.Error(), "restore a backup with efface restore") || !strings.Contains(err.Error(), left) {
			t.Errorf("beside %s the store is opened with %v", left, err)
		}
		files, err := os.ReadDir(dir)
		must(t, err)
		if len(files) != 1 {
			t.Errorf("beside %s there are %v", left, files)
		}
	}
}

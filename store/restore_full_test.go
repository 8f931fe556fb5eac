package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// Wherever the disk is full during a restore, it says so, and the same one run again
// with room does all: what had been written to the keyring and the witness by then
// is in nobody's way.
func TestARestoreOnAFullDiskIsRunAgain(t *testing.T) {
	if os.Getenv(faultControl) == "" {
		t.Parallel()
		runWithFaults(t)
		return
	}
	d := openOnDisk(t)
	tellPerson(t, d.DB, "stays", 4)
	tellPerson(t, d.DB, "erased", 4)
	backup, keyring, _ := d.backup(t)
	storetest.Requested(t, d.DB, "user_id", "erased")
	d.clock.Advance(store.DefaultCancelWindow)
	storetest.EraseAll(t, d.DB)
	for name, c := range map[string]struct {
		restore store.Restore
		place   map[string]string // by name in the data directory
	}{
		"both":                {restore: store.Restore{From: backup, KeyringFrom: keyring}},
		"the database":        {restore: store.Restore{From: backup}, place: map[string]string{"keyring.db": keyring}},
		"without the witness": {restore: store.Restore{From: backup, KeyringFrom: keyring, WithoutWitness: true}},
	} {
		for _, f := range []fault{{errno: syscall.ENOSPC, forGood: true}, {errno: syscall.ENOSPC, forGood: true, keyring: true}} {
			n := 1
			for struck := true; struck && !t.Failed(); n += 1 + n/4 {
				t.Run(fmt.Sprint(name, ", keyring ", f.keyring, ", call ", n), func(t *testing.T) {
					o := store.Options{Dir: secretsTo(t, d.dir), Clock: d.clock, Serve: true}
					if !c.restore.WithoutWitness {
						o.Witness = copied(t, filepath.Join(d.dir, "witness"))
					}
					for name, from := range c.place {
						b, err := os.ReadFile(from)
						must(t, err)
						place(t, o.Dir, name, string(b))
					}
					struck = f.strikeRestore(t, o, c.restore, n)
				})
			}
			t.Logf("%s, keyring %v: up to %d calls", name, f.keyring, n)
		}
	}
}

// strikeRestore lets the disk be full from the nth call on, and has the same restore
// run again.
func (f fault) strikeRestore(t *testing.T, o store.Options, r store.Restore, n int) (struck bool) {
	t.Helper()
	arm, fired := f.ready(t)
	arm(n)
	_, err := store.RestoreBackup(t.Context(), o, r)
	if struck = fired(); struck && err != nil && (erasure.CodeOf(err) == "" || !strings.Contains(err.Error(), "run the same efface restore again")) {
		t.Errorf("on the full disk it ends with %v", err)
	}
	if !struck || err != nil {
		if !struck {
			must(t, err)
		} else if _, err := store.RestoreBackup(t.Context(), o, r); err != nil {
			t.Fatalf("run again it ends with %v", err)
		}
	}
	db, err := store.Open(t.Context(), o)
	must(t, err)
	defer db.Close()
	after := onDisk{db, o.Dir, nil}
	if !after.finds(t, "stays") || !r.WithoutWitness && after.finds(t, "erased") {
		t.Error("somebody is lost or back")
	}
	storetest.CheckLog(t, o.Dir)
	return struck
}

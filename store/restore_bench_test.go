package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// BenchmarkRestore restores a backup of a million people of whom a hundred
// thousand were erased since: until nobody of them can be read or found, which is
// before anything is served. Copying the file is part of it.
func BenchmarkRestore(b *testing.B) {
	all := storetest.Scale(b, 1_000_000)
	n := all / 10
	clock := storetest.NewClock()
	o := store.Options{Dir: filepath.Join(b.TempDir(), "data"), Clock: clock}
	db, err := store.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	storetest.People(b, db, all)
	backup, keyring := filepath.Join(b.TempDir(), "backup"), filepath.Join(b.TempDir(), "keyring.db")
	if _, err := db.Backup(b.Context(), erasure.Terminal, backup, keyring); err != nil {
		b.Fatal(err)
	}
	requestAll(b, db, n, all/n)
	clock.Advance(25 * time.Hour)
	storetest.EraseAll(b, db)
	witness := filepath.Join(o.Dir, "witness")
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		again := store.Options{Dir: secretsTo(b, o.Dir), Clock: clock, Witness: copied(b, witness)}
		began := time.Now()
		b.StartTimer()
		did, err := store.RestoreBackup(b.Context(), again, store.Restore{From: backup, KeyringFrom: keyring})
		if err != nil || did.Reopened != n {
			b.Fatalf("%+v, %v", did, err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s")
	}
}

package store_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// Without the witness nothing tells who was erased since the backup, but the
// keyring that survived: their keys are destroyed there, which is no loss.
func TestWhoseKeysWereDestroyedIsNoLossWithoutTheWitness(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "erased", 4)
	tellPerson(t, d.DB, "stays", 4)
	backup, _, _ := d.backup(t)
	storetest.Requested(t, d.DB, "user_id", "erased")
	d.clock.Advance(store.DefaultCancelWindow)
	storetest.EraseAll(t, d.DB)
	_, keyring, _ := d.backup(t)
	o := store.Options{Dir: secretsTo(t, d.dir), Clock: d.clock}
	did, err := store.RestoreBackup(t.Context(), o, store.Restore{From: backup, KeyringFrom: keyring, WithoutWitness: true})
	must(t, err)
	if did.Gone != 2 || did.Lost != 0 {
		t.Errorf("the restore tells of %+v", did)
	}
	after := onDisk{storetest.Open(t, storetest.InDir(o.Dir), storetest.WithClock(d.clock)), o.Dir, d.clock}
	if after.finds(t, "erased") || !after.finds(t, "stays") {
		t.Error("the erased is found, or the other is lost")
	}
	storetest.CheckLog(t, o.Dir)
}

// A restore of an older backup destroys the keys made since. A newer backup does
// not fit that keyring any more, and that is no erasure.
func TestKeysDestroyedWithoutAnErasureAreToldFromMissingOnes(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 4)
	older, _, _ := d.backup(t)
	d = d.again(t) // with keys made since
	tellPerson(t, d.DB, "u2", 4)
	newer, keyring, _ := d.backup(t)
	after, did := d.restoredFrom(t, store.Restore{From: older, KeyringFrom: keyring})
	if did.Unnamed == 0 {
		t.Fatalf("the restore tells of %+v", did)
	}
	_, destroyed, _ := after.backup(t)
	o := store.Options{Dir: secretsTo(t, d.dir), Clock: d.clock, Witness: filepath.Join(d.dir, "witness")}
	r := store.Restore{From: newer, KeyringFrom: destroyed}
	refusedUntouched(t, o, r, "keys are destroyed of people of whom the log lists no erasure, 1 in all")
	r.AcceptLoss = true
	did, err := store.RestoreBackup(t.Context(), o, r)
	if must(t, err); did.Lost != 2 || did.Gone != 0 {
		t.Errorf("the restore tells of %+v", did)
	}
}

// A kill after keys were destroyed and before the log lists them is no loss: the
// claim in the log tells whose they were.
func TestAKillBetweenKeysAndTheirRecordStopsNoRestore(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "erased", 4)
	tellPerson(t, d.DB, "stays", 4)
	earlier, _, _ := d.backup(t)
	r := storetest.Requested(t, d.DB, "user_id", "erased")
	later, _, _ := d.backup(t)
	d.clock.Advance(store.DefaultCancelWindow)
	must(t, second(d.ClaimDue(t.Context(), 10)))
	refs, err := d.KeysToDestroy(t.Context())
	must(t, errors.Join(err, d.DestroyOnly(t.Context(), refs)))
	_, keyring, _ := d.backup(t)
	witness := filepath.Join(d.dir, "witness")
	for name, backup := range map[string]string{"before the request": earlier, "after it": later} {
		t.Run(name, func(t *testing.T) {
			o := store.Options{Dir: secretsTo(t, d.dir), Clock: d.clock, Witness: copied(t, witness), Serve: true}
			did, err := store.RestoreBackup(t.Context(), o, store.Restore{From: backup, KeyringFrom: keyring})
			if must(t, err); did.Lost != 0 {
				t.Errorf("the restore tells of %+v", did)
			}
			after := onDisk{storetest.Open(t, func(to *store.Options) { *to = o }), o.Dir, d.clock}
			storetest.EraseAll(t, after.DB)
			if got := after.state(t, r.ID); got != erasure.Completed || after.finds(t, "erased") || !after.finds(t, "stays") {
				t.Errorf("the request is %s, or somebody is found or lost", got)
			}
		})
	}
}

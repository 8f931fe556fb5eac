package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/storetest"
)

func TestWhatHappenedSinceABackupIsDoneAgain(t *testing.T) {
	d := openOnDisk(t)
	for _, user := range []string{"before", "erased", "claimed", "asked", "cancelled", "stays"} {
		tellPerson(t, d.DB, user, 4)
	}
	before := storetest.Requested(t, d.DB, "user_id", "before")
	d.clock.Advance(store.DefaultCancelWindow)
	storetest.EraseAll(t, d.DB)
	cancelled := storetest.Requested(t, d.DB, "user_id", "cancelled")
	backup, keyring, _ := d.backup(t)

	must(t, second(d.Cancel(t.Context(), cancelled.ID, erasure.System, erasure.API)))
	erased := storetest.Requested(t, d.DB, "user_id", "erased")
	d.clock.Advance(store.DefaultCancelWindow)
	storetest.EraseAll(t, d.DB)
	claimed := storetest.Requested(t, d.DB, "user_id", "claimed")
	d.clock.Advance(store.DefaultCancelWindow)
	must(t, second(d.ClaimDue(t.Context(), 10)))
	asked := storetest.Requested(t, d.DB, "user_id", "asked")
	tellPerson(t, d.DB, "later", 4)
	later := storetest.Requested(t, d.DB, "email", "later@example.com")
	d.clock.Advance(20 * time.Hour)

	after, did := d.restoredFrom(t, store.Restore{From: backup, KeyringFrom: keyring})
	if did.Requests != 4 || did.Ended != 2 || did.Reopened != 1 || did.Pending != 2 || did.Keys == 0 || did.Lost != 0 {
		t.Errorf("the restore tells of %+v", did)
	}
	for user, want := range map[string]bool{"before": false, "erased": false, "claimed": false, "later": false, "asked": true, "cancelled": true, "stays": true} {
		if after.finds(t, user) != want {
			t.Errorf("%s is found: %v", user, !want)
		}
	}
	for id, want := range map[erasure.RequestID]erasure.State{erased.ID: erasure.InProgress, claimed.ID: erasure.InProgress, asked.ID: erasure.Pending,
		later.ID: erasure.Pending, cancelled.ID: erasure.Cancelled} {
		if got := after.state(t, id); got != want {
			t.Errorf("request %s is %s and not %s", id, got, want)
		}
	}
	r, err := after.RequestDetails(t.Context(), erasure.System, asked.ID)
	must(t, err)
	if r.Remaining != store.DefaultCancelWindow || r.RenewedAt.IsZero() || r.Reason != "asked by mail" || r.Asked.Value != "asked" {
		t.Errorf("the request is %+v", r)
	}
	storetest.CheckLog(t, after.dir)
	if g, err := after.Gauges(t.Context()); err != nil || g.BackedUp.UnixMilli() != did.MadeAt.UnixMilli() {
		t.Errorf("the last backup is of %s, and was made at %s, %v", g.BackedUp, did.MadeAt, err)
	}

	storetest.Identify(t, after.DB, "web", "email", "later@example.com") // the request waits for them
	after.clock.Advance(store.DefaultCancelWindow)
	storetest.EraseAll(t, after.DB)
	storetest.CheckLog(t, after.dir)
	for user, want := range map[string]bool{"asked": false, "later": false, "stays": true} {
		if after.finds(t, user) != want {
			t.Errorf("in the end %s is found: %v", user, !want)
		}
	}
	if n := len(storetest.Dump(t, storetest.Raw(t, after.dir), "fragments")); n != 2*2 { // cancelled and stays, of two sources each
		t.Errorf("%d fragments are left", n)
	}
	_, receipt, err := after.Receipt(t.Context(), before.ID)
	must(t, err)
	v, err := evidence.ParseVerifier(after.LogKey())
	must(t, err)
	must(t, second(evidence.VerifyReceipt(receipt, v)))
	var export bytes.Buffer
	must(t, after.ExportLog(t.Context(), erasure.Terminal, func(_ int64, b []byte) error { _, err := export.Write(b); return err }))
	must(t, second(evidence.VerifyLog(&export, v)))
}

// What was taken from an operator or a key since the backup stays taken.
func TestARestoreGivesNobodyBackWhatWasTaken(t *testing.T) {
	d := openOnDisk(t)
	_, _, err := d.CreateKey(t.Context(), erasure.Terminal, store.NewKey{Name: "crm", Scopes: []erasure.Scope{erasure.ScopeProfilesRead}})
	must(t, err)
	backup, keyring, _ := d.backup(t)
	must(t, d.RevokeKey(t.Context(), erasure.Terminal, "crm"))
	after, _ := d.restoredFrom(t, store.Restore{From: backup, KeyringFrom: keyring})
	live, ended, err := after.Keys(t.Context())
	must(t, err)
	if len(live) != 0 || len(ended) != 1 {
		t.Errorf("of the keys %v are live and %v ended", live, ended)
	}
	storetest.CheckLog(t, after.dir)
}

func TestTheKeyringAloneIsRestored(t *testing.T) {
	d := onDisk{dir: filepath.Join(t.TempDir(), "data"), clock: storetest.NewClock()}
	o := store.Options{Dir: d.dir, Clock: d.clock, Serve: true}
	var err error
	d.DB, err = store.Open(t.Context(), o)
	must(t, err)
	tellPerson(t, d.DB, "u1", 4)
	tellPerson(t, d.DB, "u2", 4)
	_, keyring, _ := d.backup(t)
	storetest.Requested(t, d.DB, "user_id", "u1")
	d.clock.Advance(store.DefaultCancelWindow)
	storetest.EraseAll(t, d.DB)
	must(t, d.Close())
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(d.dir, "keyring.db"+suffix)); err != nil && suffix == "" {
			t.Fatal(err)
		}
	}
	did, err := store.RestoreBackup(t.Context(), o, store.Restore{KeyringFrom: keyring})
	must(t, err)
	if did.Keys == 0 || did.Entries != 0 {
		t.Errorf("the restore tells of %+v", did)
	}
	d.DB, err = store.Open(t.Context(), o)
	must(t, err)
	defer d.Close()
	if d.finds(t, "u1") || !d.finds(t, "u2") {
		t.Error("with the keyring's copy, the erased is found or the other is lost")
	}
	storetest.CheckLog(t, d.dir)
}

// A database that is older than its witness, as after a rollback of its disk, is
// brought up to it where it is.
func TestARolledBackStoreIsBroughtUpToItsWitness(t *testing.T) {
	s := newSchedule(t, 0)
	s.write()
	s.write()
	s.close()
	b, err := os.ReadFile(filepath.Join(s.dir, "efface.db"))
	must(t, err)
	s.open()
	s.request()
	s.clock.Advance(store.DefaultCancelWindow)
	s.erase()
	s.close()
	place(t, s.dir, "efface.db", string(b))
	_, err = store.Open(t.Context(), s.options())
	if erasure.CodeOf(err) != erasure.CodeConflict || !strings.Contains(err.Error(), "efface restore") {
		t.Errorf("the older store is opened with %v", err)
	}
	must(t, second(store.RestoreBackup(t.Context(), s.options(), store.Restore{})))
	s.open()
	s.check()
}

// What a killed restore prepared is gone once the server has started.
func TestWhatARestoreLeftIsRemoved(t *testing.T) {
	d := openOnDisk(t)
	must(t, os.Mkdir(filepath.Join(d.dir, "restoring"), 0o700))
	place(t, filepath.Join(d.dir, "restoring"), "efface.db", "x")
	place(t, d.dir, "keyring.db.restoring", "x")
	d.served(t)
	for _, name := range []string{"restoring", "keyring.db.restoring"} {
		if _, err := os.Stat(filepath.Join(d.dir, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
}

// A backup of an older store is brought up to date.
func TestABackupOfAnOlderStoreIsRestored(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 4)
	backup, keyring, _ := d.backup(t)
	r, o := store.Restore{KeyringFrom: keyring}, &store.Options{Dir: d.dir}
	remade(backup, `ALTER TABLE requests DROP COLUMN from_log; DELETE FROM schema_version WHERE n >= 12`)(t, o, &r)
	manifested(r.From, func(m *store.Manifest) { m.Schema = 11 })(t, o, &r)
	if after, _ := d.restoredFrom(t, r); !after.finds(t, "u1") {
		t.Error("whom the backup has is lost")
	}
}

func TestARestoreWithoutItsWitnessIsAskedForAndLogged(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 4)
	backup, keyring, _ := d.backup(t)
	dir := secretsTo(t, d.dir)
	o := store.Options{Dir: dir, Clock: d.clock}
	r := store.Restore{From: backup, KeyringFrom: keyring}
	refusedUntouched(t, o, r, "add --without-witness")
	r.WithoutWitness = true
	must(t, second(store.RestoreBackup(t.Context(), o, r)))
	after := onDisk{storetest.Open(t, storetest.InDir(dir), storetest.WithClock(d.clock)), dir, d.clock}
	if !after.finds(t, "u1") {
		t.Error("whom the backup has is lost")
	}
	if got := kindsSince(t, dir, 0); !strings.HasSuffix(got, "store.restored store.witness_forgone") {
		t.Errorf("the log ends with %s", got)
	}
}

func kindsSince(t *testing.T, dir string, from int) string {
	t.Helper()
	var kinds []string
	for _, e := range storetest.CheckLog(t, dir)[from:] {
		kinds = append(kinds, string(e.Kind))
	}
	return strings.Join(kinds, " ")
}

// While a restore runs, no command may write what would be lost with it.
func TestARestoreKeepsTheKeyringAloneFromARunningStore(t *testing.T) {
	d := openOnDisk(t)
	_, keyring, _ := d.backup(t)
	o := store.Options{Dir: d.dir, Keyring: filepath.Join(t.TempDir(), "keyring.db"), Clock: d.clock}
	refusedUntouched(t, o, store.Restore{KeyringFrom: keyring}, "stop the server and any other command first")
}

func place(t *testing.T, dir, name, text string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
}

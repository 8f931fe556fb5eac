package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

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

// A merge that came after the backup decides whom a request is for.
func TestARequestIsForWhoWasJoinedBeforeIt(t *testing.T) {
	for name, claim := range map[string]bool{"pending": false, "claimed": true} {
		t.Run(name, func(t *testing.T) {
			d := openOnDisk(t)
			for _, a := range []string{"a1", "a2"} {
				storetest.Identify(t, d.DB, "web", "anonymous_id", a, "email", a+"@example.com")
			}
			backup, keyring, _ := d.backup(t)
			storetest.Identify(t, d.DB, "app", "anonymous_id", "a1", "anonymous_id", "a2")
			storetest.Requested(t, d.DB, "anonymous_id", "a2")
			if claim {
				d.clock.Advance(store.DefaultCancelWindow)
				must(t, second(d.ClaimDue(t.Context(), 10)))
			}
			after, _ := d.restoredFrom(t, store.Restore{From: backup, KeyringFrom: keyring})
			after.clock.Advance(store.DefaultCancelWindow)
			storetest.EraseAll(t, after.DB)
			for _, a := range []string{"a1", "a2"} {
				if found, err := after.Find(t.Context(), storetest.Identifiers("anonymous_id", a)[0]); err != nil || len(found) != 0 {
					t.Errorf("%s is still there: %v", a, err)
				}
			}
			storetest.CheckLog(t, after.dir)
		})
	}
}

// An older backup is put in place, which lacks somebody who asked to be erased;
// that is carried out; then the newer one is, which has them.
func TestWhoAsksAndIsLostForAWhileIsErased(t *testing.T) {
	for name, comesBack := range map[string]bool{"nobody comes meanwhile": false, "they come back meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			s := newSchedule(t, 0)
			s.backup()
			s.write()
			s.backup()
			s.request()
			id := s.inState(erasure.Pending)[0]
			s.restoreOf(s.backups[0], s.backups[0].keyring)
			if comesBack {
				storetest.Identify(t, s.db, "web", "anonymous_id", "a0", "email", "a0@example.com")
			}
			s.clock.Advance(store.DefaultCancelWindow)
			storetest.EraseAll(t, s.db)
			if s.settle(); s.requests[id] != erasure.Completed {
				t.Fatalf("the request is %s", s.requests[id])
			}
			s.erased["a0"] = true
			s.restoreOf(s.backups[1], s.backups[1].keyring)
			storetest.EraseAll(t, s.db)
			s.check()
		})
	}
}

// Two who share an address were asked for by it, and are in no backup: one of the
// requests waits for it, and both end.
func TestTwoRequestsForOneIdentifierAreRestored(t *testing.T) {
	d := openOnDisk(t)
	backup, keyring, _ := d.backup(t)
	for _, user := range []string{"u1", "u2"} {
		storetest.Identify(t, d.DB, "web", "user_id", user, "email", "family@example.com")
	}
	rs, _, err := d.RequestMatches(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("email", "family@example.com")[0],
		Origin: erasure.Lytics, Actor: erasure.System})
	must(t, err)
	after, did := d.restoredFrom(t, store.Restore{From: backup, KeyringFrom: keyring})
	if did.Pending != 2 {
		t.Errorf("the restore tells of %+v", did)
	}
	storetest.Identify(t, after.DB, "web", "user_id", "u1", "email", "family@example.com")
	after.clock.Advance(store.DefaultCancelWindow)
	storetest.EraseAll(t, after.DB)
	for _, r := range rs {
		if got := after.state(t, r.ID); got != erasure.Completed {
			t.Errorf("request %s is %s", r.ID, got)
		}
	}
	if found, err := after.Find(t.Context(), storetest.Identifiers("email", "family@example.com")[0]); err != nil || len(found) != 0 {
		t.Errorf("%d are found, %v", len(found), err)
	}
	storetest.CheckLog(t, after.dir)
}

// Requests that are joined are claimed, and the profile is not in the backup: both
// keys are destroyed before they are completed.
func TestJoinedRequestsOfALostProfileLeaveNoKey(t *testing.T) {
	d := openOnDisk(t)
	backup, keyring, _ := d.backup(t)
	waits := asks(t, d, "later@example.com")
	storetest.Identify(t, d.DB, "web", "user_id", "u1")
	open := storetest.Requested(t, d.DB, "user_id", "u1")
	storetest.Identify(t, d.DB, "web", "user_id", "u1", "email", "later@example.com")
	if r, err := d.Request(t.Context(), waits.ID); err != nil || r.Joined == nil || *r.Joined != open.ID {
		t.Fatalf("the request is joined with %v, %v", r.Joined, err)
	}
	d.clock.Advance(store.DefaultCancelWindow)
	must(t, second(d.ClaimDue(t.Context(), 10)))
	after, _ := d.restoredFrom(t, store.Restore{From: backup, KeyringFrom: keyring})
	keys := map[string]bool{}
	rows, err := storetest.Raw(t, after.dir).Query(`SELECT key_id FROM requests WHERE key_id IS NOT NULL`)
	must(t, err)
	for rows.Next() {
		var id []byte
		must(t, rows.Scan(&id))
		keys[string(id)] = true
	}
	must(t, rows.Err())
	storetest.EraseAll(t, after.DB)
	var listed int
	for _, e := range storetest.CheckLog(t, after.dir) {
		listed += len(e.Keys)
	}
	if len(keys) != 2 || listed != 2 {
		t.Errorf("%d keys of requests were destroyed, of %d", listed, len(keys))
	}
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
	r := store.Restore{KeyringFrom: keyring}
	remade(backup, `ALTER TABLE requests DROP COLUMN from_log; DELETE FROM schema_version WHERE n >= 12`)(t, nil, &r)
	manifested(r.From, func(m *store.Manifest) { m.Schema = 11 })(t, nil, &r)
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

// Whatever does not fit stops a restore before anything is touched, with a
// sentence that says what to do.
func TestARestoreThatDoesNotFitTouchesNothing(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 4)
	backup, keyring, manifest := d.backup(t)
	older := copied(t, filepath.Join(d.dir, "witness"))
	d = d.again(t) // with keys made since
	tellPerson(t, d.DB, "u2", 4)
	newer, newerKeyring, _ := d.backup(t)
	other := openOnDisk(t)
	tellPerson(t, other.DB, "u1", 4)
	otherBackup, otherKeyring, otherManifest := other.backup(t)
	witness := filepath.Join(d.dir, "witness")

	for name, c := range map[string]struct {
		change func(t *testing.T, o *store.Options, r *store.Restore)
		says   string
	}{
		"nothing to put in place":   {func(t *testing.T, _ *store.Options, r *store.Restore) { *r = store.Restore{} }, "There is no store in"},
		"no backup there":           {func(t *testing.T, _ *store.Options, r *store.Restore) { r.From = t.TempDir() }, "There is no backup in"},
		"a store is there":          {func(t *testing.T, o *store.Options, _ *store.Restore) { place(t, o.Dir, "efface.db", "x") }, "There is a store in"},
		"the log of a store":        {func(t *testing.T, o *store.Options, _ *store.Restore) { place(t, o.Dir, "efface.db-wal", "x") }, "There is a store in"},
		"a keyring is there":        {func(t *testing.T, o *store.Options, _ *store.Restore) { place(t, o.Dir, "keyring.db", "x") }, "There is a keyring"},
		"no keyring at all":         {func(t *testing.T, _ *store.Options, r *store.Restore) { r.KeyringFrom = "" }, "The keyring"},
		"no copy of the keyring":    {func(t *testing.T, _ *store.Options, r *store.Restore) { r.KeyringFrom += "x" }, "There is no file"},
		"a database cut short":      {changed(backup, "efface.db", func(b []byte) []byte { return b[:len(b)-4096] }), "is cut short or damaged"},
		"a database changed":        {changed(backup, "efface.db", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), "is cut short or damaged"},
		"a manifest cut short":      {changed(backup, "backup.json", func(b []byte) []byte { return b[:20] }), "backup.json in"},
		"a newer manifest":          {changed(backup, "backup.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"v": 1`), []byte(`"v": 2`), 1) }), "a newer Efface"},
		"a newer store":             {remade(backup, `INSERT INTO schema_version (n) VALUES (99)`), "a newer Efface"},
		"a keyring cut short":       {changedKeyring(keyring, func(b []byte) []byte { return b[:len(b)/4096/2*4096] }), "is cut short or damaged"},
		"an empty keyring":          {changedKeyring(keyring, func([]byte) []byte { return nil }), "is empty"},
		"what is no keyring":        {changedKeyring(keyring, func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) }), "is cut short or damaged"},
		"a keyring that lacks keys": {func(t *testing.T, _ *store.Options, r *store.Restore) { r.From = newer; r.KeyringFrom = keyring }, "add --accept-loss"},
		"another store's keyring":   {func(t *testing.T, _ *store.Options, r *store.Restore) { r.KeyringFrom = otherKeyring }, "do not both fit"},
		"another store's backup":    {func(t *testing.T, _ *store.Options, r *store.Restore) { r.From = otherBackup }, "do not both fit"},
		"another store, both": {func(t *testing.T, _ *store.Options, r *store.Restore) {
			r.From, r.KeyringFrom = otherBackup, otherKeyring
		}, "do not both fit"},
		"another master key": {func(t *testing.T, o *store.Options, _ *store.Restore) {
			o.MasterKey = filepath.Join(secretsTo(t, other.dir), "master.key")
		}, "do not both fit"},
		"no master key": {func(t *testing.T, o *store.Options, _ *store.Restore) {
			o.MasterKey = filepath.Join(t.TempDir(), "master.key")
		}, "There is no master key"},
		"another log key": {func(t *testing.T, o *store.Options, _ *store.Restore) { o.LogKey = filepath.Join(other.dir, "log.key") }, "is not the log key of this store"},
		"no log key": {func(t *testing.T, o *store.Options, _ *store.Restore) {
			o.LogKey = filepath.Join(t.TempDir(), "log.key")
		}, "log key"},
		"no witness": {func(t *testing.T, o *store.Options, _ *store.Restore) { o.Witness = t.TempDir() }, "add --without-witness"},
		"another store's witness": {func(t *testing.T, o *store.Options, _ *store.Restore) {
			o.Witness = filepath.Join(other.dir, "witness")
		}, "is not this store's"},
		"a witness forgone": {func(t *testing.T, _ *store.Options, r *store.Restore) { r.WithoutWitness = true }, "leave out --without-witness"},
		"a backup at a name of ours": {func(t *testing.T, o *store.Options, r *store.Restore) {
			must(t, os.CopyFS(filepath.Join(o.Dir, "restoring", "b"), os.DirFS(backup)))
			r.From = filepath.Join(o.Dir, "restoring", "b")
		}, "uses the name"},
		"a keyring at a name of ours": {func(t *testing.T, o *store.Options, r *store.Restore) {
			r.KeyringFrom = filepath.Join(o.Dir, "keyring.db.restoring")
			place(t, o.Dir, "keyring.db.restoring", "x")
		}, "uses the name"},
		"a witness from before the backup": {func(t *testing.T, o *store.Options, r *store.Restore) {
			o.Witness, r.From, r.KeyringFrom = older, newer, newerKeyring
		}, "is older than the backup"},
		"an entry that was changed": {remade(backup, unguarded(`REPLACE INTO log_entries SELECT idx, logged, kind, request, entry || ' ' FROM log_entries WHERE idx = 0`)), "is not the one that was written"},
		"an entry changed with its hash": {remade(newer, unguarded(`REPLACE INTO log_entries SELECT 0, logged, kind, request, entry FROM log_entries WHERE idx = 1;
			REPLACE INTO log_hashes SELECT 0, hash FROM log_hashes WHERE idx = 1`)), "The deletion log in this efface.db is not"},
		"a trigger beside":                   {remade(backup, `CREATE TRIGGER x AFTER INSERT ON lookup BEGIN DELETE FROM suppressions; END`), `it has the trigger "x" beside`},
		"a view beside":                      {remade(backup, `CREATE VIEW y AS SELECT 1`), `it has the view "y" beside`},
		"a trigger taken away":               {remade(backup, `DROP TRIGGER log_hashes_kept`), `it lacks the trigger "log_hashes_kept"`},
		"a table changed":                    {remade(backup, `ALTER TABLE profiles ADD COLUMN x`), `its table "profiles" is another`},
		"a manifest without a checkpoint":    {manifested(backup, func(m *store.Manifest) { m.Checkpoint = "" }), "is cut short"},
		"a manifest without a store":         {manifested(backup, func(m *store.Manifest) { m.Store = "" }), "is cut short"},
		"a manifest without a schema":        {manifested(backup, func(m *store.Manifest) { m.Schema = 0 }), "is cut short"},
		"a manifest of another schema":       {manifested(backup, func(m *store.Manifest) { m.Schema-- }), "is cut short or damaged"},
		"a manifest of more entries":         {manifested(backup, func(m *store.Manifest) { m.Entries++ }), "is cut short or damaged"},
		"a manifest of another store":        {manifested(backup, func(m *store.Manifest) { m.Store = otherManifest.Store }), "is not that of this store"},
		"a manifest with another's signing":  {manifested(backup, func(m *store.Manifest) { m.Checkpoint = otherManifest.Checkpoint }), "is not that of this store"},
		"a manifest with an earlier signing": {manifested(newer, func(m *store.Manifest) { m.Checkpoint = manifest.Checkpoint }), "is not that of this store"},
		"a manifest that signs another log":  {manifested(backup, func(m *store.Manifest) { m.Checkpoint = forged(t, d.dir, m.Entries) }), "is not the one that its checkpoint signs"},
		"a damaged entry":                    {damagedWitness(witness, "log.jsonl"), "in the witness, is damaged"},
		"a damaged open request":             {damagedWitness(witness, "requests.jsonl"), "in the witness, is damaged"},
		"a witness without its head":         {damagedWitness(witness, "heads.jsonl"), "in the witness, is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			o := store.Options{Dir: secretsTo(t, d.dir), Clock: d.clock, Witness: witness}
			r := store.Restore{From: backup, KeyringFrom: keyring}
			c.change(t, &o, &r)
			refusedUntouched(t, o, r, c.says)
		})
	}
	for _, serve := range []bool{false, true} {
		o := store.Options{Dir: filepath.Join(t.TempDir(), "data"), Serve: serve}
		storetest.Open(t, func(other *store.Options) { *other = o })
		for _, r := range []store.Restore{{KeyringFrom: newerKeyring}, {From: newer, KeyringFrom: newerKeyring}} {
			_, err := store.RestoreBackup(t.Context(), o, r)
			if erasure.CodeOf(err) != erasure.CodeConflict {
				t.Errorf("into a store in use, by a server %v: %v", serve, err)
			}
		}
	}
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

// copied copies a directory.
func copied(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

type change = func(t *testing.T, o *store.Options, r *store.Restore)

// changed restores from a copy of the backup of which a file is another.
func changed(backup, name string, file func([]byte) []byte) change {
	return func(t *testing.T, _ *store.Options, r *store.Restore) {
		r.From = copied(t, backup)
		b, err := os.ReadFile(filepath.Join(backup, name))
		must(t, err)
		place(t, r.From, name, string(file(b)))
	}
}

func changedKeyring(keyring string, file func([]byte) []byte) change {
	return func(t *testing.T, _ *store.Options, r *store.Restore) {
		b, err := os.ReadFile(keyring)
		must(t, err)
		r.KeyringFrom = filepath.Join(t.TempDir(), "keyring.db")
		must(t, os.WriteFile(r.KeyringFrom, file(b), 0o600))
	}
}

// remade restores from a copy of the backup that somebody changed, with its
// manifest.
func remade(backup, statements string) change {
	return func(t *testing.T, o *store.Options, r *store.Restore) {
		from := copied(t, backup)
		must(t, second(storetest.Raw(t, from).Exec(statements+`; PRAGMA wal_checkpoint(TRUNCATE)`)))
		b, err := os.ReadFile(filepath.Join(from, "efface.db"))
		must(t, err)
		manifested(from, func(m *store.Manifest) {
			m.Bytes, m.SHA256 = int64(len(b)), fmt.Sprintf("%x", sha256.Sum256(b))
		})(t, o, r)
	}
}

// unguarded are statements that no trigger stops from replacing rows.
func unguarded(statements string) string {
	return `PRAGMA recursive_triggers = OFF; ` + statements + `; PRAGMA recursive_triggers = ON`
}

// manifested restores from a copy of the backup with another manifest.
func manifested(backup string, change func(*store.Manifest)) change {
	return changed(backup, "backup.json", func(b []byte) []byte {
		var m store.Manifest
		if err := json.Unmarshal(b, &m); err != nil {
			panic(err)
		}
		change(&m)
		b, err := json.Marshal(m)
		if err != nil {
			panic(err)
		}
		return b
	})
}

// forged signs another log with the store's key.
func forged(t *testing.T, dir string, size int64) string {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(dir, "log.key"))
	must(t, err)
	signer, err := evidence.NewSigner(strings.TrimSpace(string(key)))
	must(t, err)
	signed, err := evidence.Checkpoint{Origin: signer.Origin(), Size: size, Root: tlog.Hash{1}}.Sign(signer)
	must(t, err)
	return signed
}

// damagedWitness restores by a copy of the witness with a line before its last
// that is no line.
func damagedWitness(witness, name string) change {
	return func(t *testing.T, o *store.Options, _ *store.Restore) {
		o.Witness = copied(t, witness)
		path := filepath.Join(o.Witness, name)
		b, err := os.ReadFile(path)
		must(t, err)
		if last := bytes.LastIndexByte(bytes.TrimSuffix(b, []byte("\n")), '\n') + 1; last > 0 && name != "heads.jsonl" {
			b = append(append(bytes.Clone(b[:last]), "{x\n"...), b[last:]...)
		} else {
			b = append(b, "{x\n{\"y\":1}\n"...)
		}
		must(t, os.WriteFile(path, b, 0o600))
	}
}

// refusedUntouched restores, which is refused with a sentence, and compares every
// file that it was told of.
func refusedUntouched(t *testing.T, o store.Options, r store.Restore, says string) {
	t.Helper()
	places := []string{o.Dir, o.Witness, r.From, filepath.Dir(r.KeyringFrom)}
	before := map[string]string{}
	for _, p := range places {
		maps.Copy(before, digests(t, p))
	}
	_, err := store.RestoreBackup(t.Context(), o, r)
	if erasure.CodeOf(err) == "" || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "restoring/efface.db") {
		t.Errorf("the restore is refused with %v", err)
	}
	after := map[string]string{}
	for _, p := range places {
		maps.Copy(after, digests(t, p))
	}
	for path := range after {
		if filepath.Base(path) == "lock" { // of a witness that is there
			delete(after, path)
			delete(before, path)
		}
	}
	if !maps.Equal(before, after) {
		t.Errorf("the files were %v and are %v", before, after)
	}
}

func digests(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	if dir == "" || dir == "." {
		return all
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	must(t, err)
	return all
}

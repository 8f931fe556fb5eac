package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// I4: the witness has what the store acknowledged: entries, open requests with
// what was asked for, and suppressions.
func TestTheWitnessHasWhatTheStoreHas(t *testing.T) {
	d := openOnDisk(t)
	for _, user := range []string{"u1", "u2", "u3"} {
		tellPerson(t, d.DB, user, 2)
	}
	one := storetest.Requested(t, d.DB, "user_id", "u1")
	storetest.Requested(t, d.DB, "user_id", "u2")
	waits := asks(t, d, "later@example.com")
	storetest.CheckWitness(t, d.dir)
	if _, err := d.Cancel(t.Context(), one.ID, erasure.System, erasure.API); err != nil {
		t.Fatal(err)
	}
	storetest.Identify(t, d.DB, "crm", "email", "later@example.com") // attaches
	if again := asks(t, d, "later@example.com"); again.ID != waits.ID {
		t.Fatal("another request was made")
	}
	must(t, second(d.Checkpoint(t.Context())))
	storetest.CheckWitness(t, d.dir)
	kept := d.AskedFor(t)
	if a := kept[waits.ID]; a.Key != "email" || a.Value != "later@example.com" || a.EffaceID == nil || !a.Suppress || a.Reason != "asked by mail" {
		t.Errorf("the witness keeps %+v of a request", a)
	}
	d.clock.Advance(24 * time.Hour)
	storetest.EraseAll(t, d.DB)
	storetest.CheckWitness(t, d.dir)
	if kept := d.AskedFor(t); len(kept) != 0 {
		t.Errorf("%d requests are kept", len(kept))
	}
}

// asks asks for the erasure of somebody whom nothing is known of.
func asks(t *testing.T, d onDisk, email string) erasure.Request {
	t.Helper()
	r, _, err := d.RequestErasure(t.Context(), unknown(email))
	must(t, err)
	return r
}

func unknown(email string) erasure.NewRequest {
	return erasure.NewRequest{Asked: storetest.Identifiers("email", email)[0], Unknown: true,
		Origin: erasure.API, Actor: erasure.System, Reason: "asked by mail", Suppress: true}
}

// I1: neither what was asked for nor anything of a person stands in the witness.
func TestTheWitnessShowsNobody(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "marker-user", 2)
	storetest.Requested(t, d.DB, "user_id", "marker-user")
	asks(t, d, "marker-mail@example.com")
	for name, b := range witnessFiles(t, d.dir) {
		if bytes.Contains(b, []byte("marker-")) || bytes.Contains(b, []byte("asked by mail")) {
			t.Errorf("%s shows what was asked for", name)
		}
	}
}

func witnessFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "witness", "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	all := map[string][]byte{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = b
	}
	return all
}

// A kill after a commit leaves a witness that lacks its lines.
func TestAStartWritesWhatTheWitnessLacks(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 2)
	tellPerson(t, d.DB, "u2", 2)
	storetest.Requested(t, d.DB, "user_id", "u1")
	waits := asks(t, d, "later@example.com")
	without := d
	without.DB = storetest.Open(t, storetest.InDir(d.dir), storetest.WithClock(d.clock), func(o *store.Options) { o.NoWitness = true })
	storetest.Identify(t, without.DB, "crm", "email", "later@example.com")
	d.clock.Advance(24 * time.Hour)
	must(t, second(without.ClaimDue(t.Context(), 1)))
	storetest.EraseAll(t, without.DB)
	last := storetest.Requested(t, without.DB, "user_id", "u2")
	d = d.served(t)
	storetest.CheckWitness(t, d.dir)
	kept := d.AskedFor(t)
	if kept[last.ID].Value != "u2" && kept[last.ID].EffaceID == nil {
		t.Errorf("the witness keeps %+v of the last request", kept[last.ID])
	}
	if _, there := kept[waits.ID]; there {
		t.Error("a request that was completed is kept")
	}
}

// What was changed of an open request before a kill is found at the start.
func TestAStartWritesARequestThatChanged(t *testing.T) {
	d := openOnDisk(t)
	waits := asks(t, d, "later@example.com")
	without := storetest.Open(t, storetest.InDir(d.dir), storetest.WithClock(d.clock), func(o *store.Options) { o.NoWitness = true })
	storetest.Identify(t, without, "crm", "email", "later@example.com")
	if d.AskedFor(t)[waits.ID].EffaceID != nil {
		t.Fatal("the witness has it already")
	}
	d = d.served(t)
	if a := d.AskedFor(t)[waits.ID]; a.EffaceID == nil || a.Value != "later@example.com" {
		t.Errorf("the witness keeps %+v", a)
	}
}

// A program may write of a request that has ended meanwhile: the daily sweep takes
// that away again, and nothing of a request that is open.
func TestASweepTakesRequestsThatHaveEndedFromTheWitness(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 2)
	tellPerson(t, d.DB, "u2", 2)
	r := storetest.Requested(t, d.DB, "user_id", "u1")
	d.clock.Advance(24 * time.Hour)
	without := storetest.Open(t, storetest.InDir(d.dir), storetest.WithClock(d.clock), func(o *store.Options) { o.NoWitness = true })
	storetest.EraseAll(t, without)
	open := storetest.Requested(t, d.DB, "user_id", "u2")
	if _, there := d.AskedFor(t)[r.ID]; !there {
		t.Fatal("the witness does not keep what has ended")
	}
	must(t, second(d.Sweep(t.Context(), store.SweepOptions{})))
	kept := d.AskedFor(t)
	if _, there := kept[r.ID]; there {
		t.Error("a request that was completed is kept")
	}
	if _, there := kept[open.ID]; !there {
		t.Error("an open request is gone")
	}
}

// A witness that can't be written to acknowledges nothing, and a completed
// request is not shown as such before it can.
func TestNothingIsAcknowledgedThatTheWitnessLacks(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 2)
	r := storetest.Requested(t, d.DB, "user_id", "u1")
	d.clock.Advance(24 * time.Hour)
	must(t, second(d.ClaimDue(t.Context(), 500)))
	_, busy, err := d.DestroyKeys(t.Context(), 500)
	if busy || err != nil {
		t.Fatal(busy, err)
	}
	mend := breakWitness(t, d.dir)
	if _, _, err := d.DeleteRows(t.Context(), 1000); !errors.Is(err, store.ErrWitness) {
		t.Errorf("the completion is answered with %v", err)
	}
	if state := d.state(t, r.ID); state != erasure.InProgress {
		t.Errorf("the request is shown as %s", state)
	}
	if _, _, err := d.Receipt(t.Context(), r.ID); erasure.CodeOf(err) != erasure.CodeConflict {
		t.Errorf("its receipt is answered with %v", err)
	}
	entries := len(storetest.CheckLog(t, d.dir))
	if _, _, err := d.RequestErasure(t.Context(), unknown("u2@example.com")); !errors.Is(err, store.ErrWitness) {
		t.Errorf("a request is answered with %v", err)
	}
	if err := d.Beat(t.Context()); !errors.Is(err, store.ErrWitness) {
		t.Errorf("a heartbeat is answered with %v", err)
	}
	if n := len(storetest.CheckLog(t, d.dir)); n != entries {
		t.Errorf("%d entries were written meanwhile", n-entries)
	}
	mend()
	must(t, d.Beat(t.Context()))
	if state := d.state(t, r.ID); state != erasure.Completed {
		t.Errorf("the request is shown as %s", state)
	}
	_, _, err = d.Receipt(t.Context(), r.ID)
	must(t, err)
	storetest.CheckWitness(t, d.dir)
}

// A claim that the witness lacks would be none to a restore, and its keys lost.
func TestNoKeyIsDestroyedWhoseClaimTheWitnessLacks(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 2)
	r := storetest.Requested(t, d.DB, "user_id", "u1")
	d.clock.Advance(24 * time.Hour)
	mend := breakWitness(t, d.dir)
	if _, err := d.ClaimDue(t.Context(), 500); !errors.Is(err, store.ErrWitness) {
		t.Errorf("the claim is answered with %v", err)
	}
	refs, err := d.KeysToDestroy(t.Context())
	must(t, err)
	secret := d.wrapped(t, refs)
	if _, _, err := d.DestroyKeys(t.Context(), 500); !errors.Is(err, store.ErrWitness) || len(refs) == 0 || !d.shows(t, secret) {
		t.Errorf("of %d keys some were destroyed: %v", len(refs), err)
	}
	mend()
	storetest.EraseAll(t, d.DB)
	checkErased(t, d, r.ID)
}

// breakWitness lets the log's file fail until it is mended, which only who writes
// to it notices.
func breakWitness(t *testing.T, dir string) (mend func()) {
	t.Helper()
	path := filepath.Join(dir, "witness", "log.jsonl")
	must(t, os.Rename(path, path+".away"))
	must(t, os.Mkdir(path, 0o700))
	return func() { must(t, errors.Join(os.Remove(path), os.Rename(path+".away", path))) }
}

// While the witness's directory is away, as where its disk is not mounted, nothing
// is even written to the store.
func TestNothingIsWrittenWhileTheWitnessIsAway(t *testing.T) {
	d := openOnDisk(t)
	asks(t, d, "before@example.com")
	entries := len(storetest.CheckLog(t, d.dir))
	dir := filepath.Join(d.dir, "witness")
	must(t, os.Rename(dir, dir+".away"))
	for range 2 {
		if _, _, err := d.RequestErasure(t.Context(), unknown("u1@example.com")); !errors.Is(err, store.ErrWitness) {
			t.Errorf("a request is answered with %v", err)
		}
	}
	if n := len(storetest.CheckLog(t, d.dir)); n != entries {
		t.Errorf("%d entries were written meanwhile", n-entries)
	}
	must(t, os.Rename(dir+".away", dir))
	asks(t, d, "u1@example.com")
	storetest.CheckWitness(t, d.dir)
}

// A copy of efface.db that somebody puts back is older than its witness, or has
// another history by now.
func TestAStoreThatDoesNotFitItsWitnessIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, o store.Options)
		says  string
	}{
		"rolled back": {func(*testing.T, store.Options) {}, "is older than its witness"},
		"rolled back and gone on": {func(t *testing.T, o store.Options) {
			o.NoWitness = true
			db, err := store.Open(t.Context(), o)
			must(t, err)
			for range 20 {
				must(t, db.LogExport(t.Context(), erasure.Terminal))
			}
			must(t, db.Close())
		}, "differently"},
		"without its witness": {func(t *testing.T, o store.Options) { must(t, os.RemoveAll(filepath.Join(o.Dir, "witness"))) }, "is missing"},
		"with half a witness": {func(t *testing.T, o store.Options) {
			must(t, os.Remove(filepath.Join(o.Dir, "witness", "requests.jsonl")))
		}, "is missing"},
		"with another's witness": {func(t *testing.T, o store.Options) {
			other := store.Options{Dir: filepath.Join(t.TempDir(), "other")}
			db, err := store.Open(t.Context(), other)
			must(t, err)
			must(t, db.Close())
			must(t, os.RemoveAll(filepath.Join(o.Dir, "witness")))
			must(t, os.Rename(filepath.Join(other.Dir, "witness"), filepath.Join(o.Dir, "witness")))
		}, "is not this store's"},
	} {
		for _, signed := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				o := store.Options{Dir: filepath.Join(t.TempDir(), "data"), Clock: storetest.NewClock()}
				use := func() {
					db, err := store.Open(t.Context(), o)
					must(t, err)
					for range 5 {
						must(t, db.LogExport(t.Context(), erasure.Terminal))
					}
					if signed {
						must(t, second(db.Checkpoint(t.Context())))
					}
					must(t, db.Close())
				}
				use()
				path := filepath.Join(o.Dir, "efface.db")
				old, err := os.ReadFile(path)
				must(t, err)
				use()
				must(t, os.WriteFile(path, old, 0o600))
				c.spoil(t, o)
				_, err = store.Open(t.Context(), o)
				if err == nil || !strings.Contains(err.Error(), c.says) || erasure.CodeOf(err) == "" {
					t.Errorf("signed %v: the error is %v", signed, err)
				}
			})
		}
	}
}

// Damage is found at the start from the newest head on, and before it by the
// daily sweep; either names the file and the line.
func TestADamagedWitnessIsRefused(t *testing.T) {
	d := openOnDisk(t)
	for range 5 {
		must(t, d.LogExport(t.Context(), erasure.Terminal))
	}
	must(t, second(d.Checkpoint(t.Context())))
	for range 5 {
		must(t, d.LogExport(t.Context(), erasure.Terminal))
	}
	asks(t, d, "one@example.com")
	asks(t, d, "two@example.com")
	for _, c := range []struct {
		file  string
		line  int
		sweep bool
		says  string
	}{
		{"log.jsonl", 2, true, "Line 2 of"},
		{"log.jsonl", 8, false, "Line 8 of"},
		{"heads.jsonl", 1, false, "Line 1 of"},
		{"requests.jsonl", 1, false, "Line 1 of"},
	} {
		path := filepath.Join(d.dir, "witness", c.file)
		good, err := os.ReadFile(path)
		must(t, err)
		lines := bytes.SplitAfter(bytes.Clone(good), []byte("\n"))
		lines[c.line-1][3] = 'X'
		must(t, os.WriteFile(path, bytes.Join(lines, nil), 0o600))
		again, err := store.Open(t.Context(), store.Options{Dir: d.dir, Clock: d.clock})
		if err == nil {
			if !c.sweep {
				t.Errorf("%s: a store with it is opened", c.file)
			}
			_, err = again.Sweep(t.Context(), store.SweepOptions{})
			must(t, again.Close())
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.file) {
			t.Errorf("%s: the error is %v", c.file, err)
		}
		must(t, os.WriteFile(path, good, 0o600))
	}
}

// A program that is slower than another one to write its entries finds them
// written already, and the other one does not leave a gap for them.
func TestProgramsWriteOneAnothersEntries(t *testing.T) {
	d := openOnDisk(t)
	other := d.again(t)
	mend := breakWitness(t, d.dir)
	if _, _, err := d.RequestErasure(t.Context(), unknown("slow@example.com")); !errors.Is(err, store.ErrWitness) {
		t.Fatalf("a request is answered with %v", err)
	}
	mend()
	for n := range 3 {
		asks(t, other, fmt.Sprint(n, "@example.com"))
	}
	storetest.CheckWitnessedLog(t, d.dir, true)
	slow := asks(t, d, "slow@example.com")
	asks(t, d, "next@example.com")
	storetest.CheckWitness(t, d.dir)
	if _, there := d.AskedFor(t)[slow.ID]; !there {
		t.Error("the request that was not acknowledged is not kept")
	}
}

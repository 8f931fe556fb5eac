package jobs

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/storetest"
)

func TestTheSweeperSweepsOnceADay(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	storetest.Identify(t, db, "shop", "user_id", "u1")
	r := storetest.Requested(t, db, "user_id", "u1")
	if _, err := db.Cancel(t.Context(), r.ID, erasure.System, erasure.Console); err != nil {
		t.Fatal(err)
	}
	s := NewSweeper(db, store.SweepOptions{KeepCancelled: time.Hour}, slog.New(slog.DiscardHandler))
	for _, step := range []struct{ wait, took time.Duration }{{0, 0}, {2 * time.Hour, 0}, {22 * time.Hour, 1}, {0, 0}} {
		clock.Advance(step.wait)
		swept, err := s.Sweep(t.Context())
		if err != nil || swept.Requests != int(step.took) {
			t.Errorf("%s later the sweeper took %+v, %v", step.wait, swept, err)
		}
	}
}

func TestTheSweeperScrubsOnceADay(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	storetest.People(t, db, 10)
	s := NewSweeper(db, store.SweepOptions{}, slog.New(slog.DiscardHandler))
	for _, step := range []struct {
		wait time.Duration
		due  bool
	}{{0, true}, {2 * time.Hour, false}, {22 * time.Hour, true}, {0, false}} {
		clock.Advance(step.wait)
		if due, err := db.ScrubDue(t.Context()); err != nil || due != step.due {
			t.Errorf("%s later a scrub is due: %t, %v", step.wait, due, err)
		}
		if scrubbed, err := s.Scrub(t.Context()); err != nil || scrubbed.Busy {
			t.Errorf("%s later the sweeper: %+v, %v", step.wait, scrubbed, err)
		}
	}
}

// Who reads the keyring keeps the sweep waiting, and not the scrub of the other
// file.
func TestAReaderOfTheKeyringKeepsNoScrubWaiting(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.InDir(dir), storetest.WithClock(clock))
	storetest.Identify(t, db, "shop", "user_id", "u1")
	r := storetest.Requested(t, db, "user_id", "u1")
	if _, err := db.Cancel(t.Context(), r.ID, erasure.System, erasure.Console); err != nil {
		t.Fatal(err)
	}
	clock.Advance(31 * 24 * time.Hour) // its reason goes
	keyring, err := sql.Open(seal.Driver, seal.DSN(filepath.Join(dir, "keyring.db"), seal.DSNOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	defer keyring.Close()
	reader, err := keyring.Query(`SELECT * FROM keys`)
	if err != nil || !reader.Next() {
		t.Fatal(err)
	}
	defer reader.Close()
	wait := NewSweeper(db, store.SweepOptions{}, slog.New(slog.DiscardHandler)).look(t.Context())
	if due, err := db.SweepDue(t.Context()); err != nil || !due || wait != busyWait {
		t.Fatalf("the sweep did not wait for the reader: due %t, %v, looking again in %s", due, err, wait)
	}
	if due, err := db.ScrubDue(t.Context()); err != nil || due {
		t.Errorf("a scrub is due: %t, %v", due, err)
	}
}

func TestWhenItStopsTheSweeperNotesTheUseOfKeys(t *testing.T) {
	db := storetest.Open(t)
	token, _, err := db.CreateKey(t.Context(), erasure.System, store.NewKey{Name: "k", Scopes: []erasure.Scope{erasure.ScopeProfilesRead}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.KeyByToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	NewSweeper(db, store.SweepOptions{}, slog.New(slog.DiscardHandler)).Run(ctx)
	keys, _, err := db.Keys(t.Context())
	if err != nil || keys[0].LastUsed.IsZero() {
		t.Errorf("the key's last use is %v, %v", keys, err)
	}
}

// A witness is compared soon after a start, and what did not fit again until it
// does.
func TestTheSweeperComparesTheWitnessBetweenSweeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first := storetest.Open(t, storetest.InDir(dir))
	if err := first.LogExport(t.Context(), erasure.Terminal); err != nil {
		t.Fatal(err)
	}
	s := NewSweeper(first, store.SweepOptions{}, slog.New(slog.DiscardHandler))
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	db := storetest.Open(t, storetest.InDir(dir))
	s = NewSweeper(db, store.SweepOptions{}, slog.New(slog.DiscardHandler))
	log := filepath.Join(dir, "witness", "log.jsonl")
	good, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, bytes.Replace(good, []byte(`"actor"`), []byte(`"other"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(t.Context()); err == nil || db.Status().Witness.Misfit == "" {
		t.Errorf("a witness with another entry is passed over: %v", err)
	}
	if err := os.WriteFile(log, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(t.Context()); err != nil || db.Status().Witness.Misfit != "" {
		t.Errorf("mended, it is still told of: %+v, %v", db.Status().Witness, err)
	}
}

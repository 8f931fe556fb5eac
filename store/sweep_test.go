package store_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/efface/efface/jobs"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/storetest"
)

const aDay = 24 * time.Hour

func sweep(t *testing.T, db *store.DB) store.Swept {
	t.Helper()
	s, err := db.Sweep(t.Context(), store.SweepOptions{})
	if err != nil || s.Busy {
		t.Fatalf("the sweep is not done: %+v, %v", s, err)
	}
	return s
}

func ask(t *testing.T, db *store.DB, value string) erasure.Request {
	t.Helper()
	r, _, err := db.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", value)[0],
		Origin: erasure.Console, Actor: erasure.System, Reason: "asked by letter", Suppress: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func carryOut(t *testing.T, db *store.DB) {
	t.Helper()
	if _, err := jobs.NewRunner(db, slog.New(slog.DiscardHandler)).Work(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestASweepReadsEveryTableThatNamesKeys(t *testing.T) {
	db := storetest.Open(t)
	swept := store.SweptTables()
	slices.Sort(swept)
	if in := db.TablesThatNameKeys(t); !slices.Equal(in, swept) {
		t.Errorf("keys are named by %v, and the sweep reads %v", in, swept)
	}
}

// Whatever happens, a key that something names is never destroyed by a sweep,
// and one that nothing names is gone at the second sweep after it was made.
func TestASweepDestroysWhatNothingNamesAndNothingElse(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			clock := storetest.NewClock()
			db := storetest.Open(t, storetest.WithClock(clock))
			var requests []erasure.RequestID
			before := int64(0)
			for range 8 {
				for range 30 {
					requests = act(t, db, random, requests)
				}
				clock.Advance(time.Duration(random.Int64N(int64(aDay))) + aDay/2)
				alive := map[seal.Ref]bool{}
				for _, ref := range db.NamedKeys(t) {
					alive[ref] = db.Alive(t, ref)
				}
				reaches := db.MaxKeyRow(t)
				sweep(t, db)
				named := map[seal.Ref]bool{}
				for _, ref := range db.NamedKeys(t) {
					named[ref] = true
					if alive[ref] && !db.Alive(t, ref) && stillNeeded(t, db, ref) {
						t.Fatalf("key %d was destroyed while something named it", ref.Row)
					}
				}
				for _, ref := range db.LiveKeys(t, before) {
					if !named[ref] {
						t.Fatalf("key %d is left though nothing names it", ref.Row)
					}
				}
				before = reaches
			}
		})
	}
}

// stillNeeded reports whether a key is named by more than the log: the log's
// share in a key ends with the cancelled request that it was of.
func stillNeeded(t *testing.T, db *store.DB, ref seal.Ref) bool {
	t.Helper()
	return db.Count(t, fmt.Sprintf(`SELECT (SELECT COUNT(*) FROM fragments WHERE key_row = %[1]d)
		+ (SELECT COUNT(*) FROM requests WHERE key_row = %[1]d) + (SELECT COUNT(*) FROM secrets WHERE key_row = %[1]d)`, ref.Row)) > 0
}

// act does one thing that staff, scripts or the runner do.
func act(t *testing.T, db *store.DB, random *rand.Rand, requests []erasure.RequestID) []erasure.RequestID {
	t.Helper()
	who := fmt.Sprint(random.IntN(40))
	switch random.IntN(6) {
	case 0, 1:
		storetest.Identify(t, db, []string{"shop", "crm"}[random.IntN(2)], "user_id", who, "email", who+"@example.com")
	case 2:
		storetest.Identify(t, db, "web", "anonymous_id", who, "user_id", fmt.Sprint(random.IntN(40)))
	case 3:
		r, _, err := db.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", who)[0],
			Unknown: true, Origin: erasure.June, Actor: erasure.System})
		if err != nil {
			t.Fatal(err)
		}
		return append(requests, r.ID)
	case 4:
		if len(requests) > 0 {
			_, err := db.Cancel(t.Context(), requests[random.IntN(len(requests))], erasure.System, erasure.Console)
			if err != nil && erasure.CodeOf(err) == "" {
				t.Fatal(err)
			}
		}
	case 5:
		carryOut(t, db)
	}
	return requests
}

func TestSweepsAreADayApartOverRestarts(t *testing.T) {
	clock := storetest.NewClock()
	o := store.Options{Dir: t.TempDir() + "/data", Clock: clock}
	due := func() (due bool) {
		db, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if due, err = db.SweepDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if due {
			sweep(t, db)
		}
		return due
	}
	if !due() {
		t.Error("a new store is not swept")
	}
	clock.Advance(aDay - time.Second)
	if due() {
		t.Error("a store is swept twice in a day")
	}
	clock.Advance(time.Second)
	if !due() {
		t.Error("a store is not swept after a day")
	}
}

func TestACancelledRequestForgetsItsReasonAfter30Days(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	storetest.Identify(t, db, "shop", "user_id", "u1")
	r := ask(t, db, "u1")
	if _, err := db.Cancel(t.Context(), r.ID, erasure.System, erasure.Console); err != nil {
		t.Fatal(err)
	}
	reason := func() string {
		t.Helper()
		r, err := db.RequestDetails(t.Context(), erasure.System, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		return r.Reason + r.Asked.Value
	}
	clock.Advance(30*aDay - time.Second)
	if s := sweep(t, db); s.Requests != 0 || reason() == "" {
		t.Errorf("before 30 days the sweep took %+v and left %q", s, reason())
	}
	clock.Advance(time.Second)
	if s := sweep(t, db); s.Requests != 1 || reason() != "" {
		t.Errorf("after 30 days the sweep took %+v and left %q", s, reason())
	}
	if n := db.Count(t, `SELECT COUNT(*) FROM requests WHERE key_id IS NOT NULL OR asked IS NOT NULL OR reason IS NOT NULL`); n != 0 {
		t.Errorf("%d requests still hold what was asked", n)
	}
	storetest.One(t, db, "user_id", "u1")
}

func TestSuppressionsEndWithTheirTime(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	storetest.Identify(t, db, "shop", "user_id", "u1")
	ask(t, db, "u1")
	clock.Advance(aDay)
	carryOut(t, db)
	sweep(t, db)
	if n := db.Count(t, `SELECT COUNT(*) FROM suppressions`); n != 1 {
		t.Fatalf("%d suppressions are left while they last", n)
	}
	clock.Advance(store.DefaultSuppressFor)
	sweep(t, db)
	if n := db.Count(t, `SELECT COUNT(*) FROM suppressions`); n != 0 {
		t.Errorf("%d suppressions are left after their time", n)
	}
}

func TestTheLogsContentGoesAfterItsRetentionAndItsHashesStay(t *testing.T) {
	for _, c := range []struct {
		keep, after time.Duration
	}{{0, store.DefaultKeepLog}, {store.LogRetention, store.LogRetention}, {time.Hour, store.LogRetention}} {
		clock := storetest.NewClock()
		db := storetest.Open(t, storetest.WithClock(clock))
		storetest.Identify(t, db, "shop", "user_id", "u1")
		ask(t, db, "u1")
		entries := db.Count(t, `SELECT COUNT(*) FROM log_entries`)
		o := store.SweepOptions{KeepLog: c.keep}

		clock.SetWall(clock.Now().Wall.AddDate(10, 0, 0))
		if s, err := db.Sweep(t.Context(), o); err != nil || s.Entries != 0 {
			t.Errorf("with the wall clock set ten years ahead the sweep took %+v, %v", s, err)
		}
		clock.Advance(c.after)
		if s, err := db.Sweep(t.Context(), o); err != nil || s.Entries != 0 {
			t.Errorf("at its retention the sweep took %+v, %v", s, err)
		}
		clock.Advance(time.Second)
		if s, err := db.Sweep(t.Context(), o); err != nil || s.Entries != entries {
			t.Errorf("past its retention the sweep took %+v of %d entries, %v", s, entries, err)
		}
		if n := db.Count(t, `SELECT COUNT(*) FROM log_hashes`); n != entries {
			t.Errorf("%d of %d hashes are left", n, entries)
		}
		if n := db.Count(t, `SELECT COUNT(*) FROM log_subjects`); n != 0 {
			t.Errorf("%d subjects are left without their entries", n)
		}
		if as, _, err := db.Activity(t.Context(), "", 50); err != nil || len(as) != entries || !as[0].Dropped {
			t.Errorf("Activity shows %+v, %v", as, err)
		}
	}
}

package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// faulty is a store in which each round runs one shared commit of every kind
// of write while a fault strikes.
type faulty struct {
	db      *store.DB
	raw     *sql.DB
	dir     string
	clock   *storetest.Clock
	round   int
	views   int // looks in the log
	list    erasure.BatchID
	nextDue string // whose erasure the next round requests and claims
	// arm lets the nth call from now on fail; fired ends that and reports
	// whether it came to it.
	arm   func(n int)
	fired func() bool
}

func newFaulty(t *testing.T) *faulty {
	t.Helper()
	f := &faulty{dir: filepath.Join(t.TempDir(), "data"), clock: storetest.NewClock()}
	f.db = storetest.Open(t, storetest.InDir(f.dir), storetest.WithClock(f.clock))
	f.raw = storetest.Raw(t, f.dir)
	f.nextDue = "first"
	identifyAll(t, f.db, f.nextDue)
	return f
}

// write is one write of a shared commit: whether it was acknowledged must be
// whether what it does is there.
type write struct {
	name string
	run  func() error
	done func() bool
	err  error
}

// strikeEach lets the fault strike at the first call of a shared commit, at
// the second, and so on, until a commit ends before it.
func (f *faulty) strikeEach(t *testing.T) {
	t.Helper()
	for n := 1; ; n++ {
		struck := f.strike(t, n)
		if t.Failed() {
			t.Fatalf("with a fault at call %d", n)
		}
		if !struck {
			t.Logf("a fault struck at each of %d calls", n-1)
			return
		}
	}
}

func (f *faulty) strike(t *testing.T, n int) bool {
	t.Helper()
	f.round++
	writes := f.writes(t)
	var jobs []func()
	for _, w := range writes {
		jobs = append(jobs, func() { w.err = w.run() })
	}
	f.arm(n)
	f.db.Together(t, jobs...)
	struck := f.fired()
	f.views = f.countViews(t)
	for _, w := range writes {
		if acknowledged := w.err == nil; w.done != nil && acknowledged != w.done() {
			t.Errorf("%s: acknowledged %v (%v), there %v", w.name, acknowledged, w.err, !acknowledged)
		}
		if !struck && w.err != nil {
			t.Errorf("%s: without a fault: %v", w.name, w.err)
		}
	}
	f.finishList(t)
	if f.round%10 == 0 || !struck {
		storetest.EraseAll(t, f.db) // the store goes on working
	}
	return struck
}

func (f *faulty) countViews(t *testing.T) (n int) {
	for _, e := range storetest.CheckLog(t, f.dir) {
		if e.Kind == erasure.ProfileViewed {
			n++
		}
	}
	return n
}

// writes prepares people and requests for a round, and what will be done.
func (f *faulty) writes(t *testing.T) []*write {
	t.Helper()
	id := func(kind string) string { return fmt.Sprintf("%s-%d", kind, f.round) }
	due := f.request(t, f.nextDue)
	f.clock.Advance(24 * time.Hour)
	f.nextDue = id("next")
	identifyAll(t, f.db, id("cancel"), id("ask"), f.nextDue)
	pending := f.request(t, id("cancel"))
	asked := storetest.One(t, f.db, "user_id", id("ask"))
	is := func(id erasure.RequestID, s erasure.State) func() bool {
		return func() bool {
			r, err := f.db.Request(t.Context(), id)
			return err == nil && r.State == s
		}
	}
	views := f.views
	f.list = f.confirmed(t, id("listed"))
	return []*write{
		{name: "an ingest", run: func() error { return f.ingest(t, id("new")) }, done: func() bool {
			found, err := f.db.Find(t.Context(), storetest.Identifiers("user_id", id("new"))[0])
			return err == nil && len(found) == 1
		}},
		{name: "a request", run: func() error {
			_, _, err := f.db.RequestErasure(t.Context(), erasure.NewRequest{EffaceID: &asked.EffaceID, Origin: erasure.Console, Reason: "why"})
			return err
		}, done: func() bool {
			p, err := f.db.PeekProfile(t.Context(), asked.EffaceID)
			return err == nil && p.Open != nil
		}},
		{name: "a cancel", run: func() error {
			_, err := f.db.Cancel(t.Context(), pending, erasure.System, erasure.API)
			return err
		}, done: is(pending, erasure.Cancelled)},
		{name: "a refused cancel", run: func() error {
			_, err := f.db.Cancel(t.Context(), erasure.NewRequestID(storetest.Start), erasure.System, erasure.API)
			return refusedAs(err, erasure.CodeNotFound)
		}},
		{name: "a careless write", run: func() error { return f.careless(t, id("careless")) },
			done: func() bool { return f.sources(t, id("careless")) > 0 }},
		{name: "a claim", run: func() error { _, err := f.db.ClaimDue(t.Context(), 500); return err }, done: is(due, erasure.InProgress)},
		{name: "a look", run: func() error { _, err := f.db.Profile(t.Context(), erasure.System, asked.EffaceID); return err },
			done: func() bool { return f.views == views+1 }},
		{name: "a list", run: func() error { return f.db.QueueBulk(t.Context(), f.list) }},
	}
}

// confirmed sends a list of two that lead to one.
func (f *faulty) confirmed(t *testing.T, user string) erasure.BatchID {
	t.Helper()
	identifyAll(t, f.db, user)
	id, _, err := spool(t, f.db, "user_id", user, "user_id", user).Confirm(t.Context(), store.Once{})
	must(t, err)
	return id
}

// finishList goes on with the round's list where the fault left it.
func (f *faulty) finishList(t *testing.T) {
	t.Helper()
	must(t, f.db.QueueBulk(t.Context(), f.list))
	b, err := f.db.Bulk(t.Context(), f.list)
	if must(t, err); b.Stage != erasure.Done || b.Done != 2 || b.Batch.Queued() != 1 || b.Batch.Matched != 2 {
		t.Errorf("the list is %+v, its batch %+v", b, b.Batch)
	}
}

func (f *faulty) request(t *testing.T, user string) erasure.RequestID {
	t.Helper()
	return storetest.Requested(t, f.db, "user_id", user).ID
}

func (f *faulty) ingest(t *testing.T, user string) error {
	results, err := f.db.Ingest(t.Context(), []ingest.Call{{Kind: ingest.Identify, Table: erasure.User, Source: "shop",
		Identifiers: storetest.Identifiers("user_id", user, "email", user+"@example.com"), Record: []byte(`{"event":"seen"}`), MessageID: user}})
	if err != nil {
		return err
	}
	return results[0].Err
}

// careless goes on after a failed statement and tells nobody.
func (f *faulty) careless(t *testing.T, name string) error {
	return f.db.Write(t.Context(), func(tx *store.Tx) error {
		for i := range 3 {
			tx.Exec(`INSERT INTO sources (name) VALUES ($1)`, fmt.Sprint(name, i))
		}
		return nil
	})
}

func (f *faulty) sources(t *testing.T, name string) (n int) {
	t.Helper()
	must(t, f.raw.QueryRow(`SELECT COUNT(*) FROM sources WHERE name LIKE $1`, name+"_").Scan(&n))
	if n != 0 && n != 3 {
		t.Errorf("%d of 3 statements of a write are there", n)
	}
	return n
}

// refusedAs turns the refusal that is expected into nil.
func refusedAs(err error, code erasure.Code) error {
	if erasure.CodeOf(err) == code {
		return nil
	}
	return errors.Join(errors.New("a refusal was expected"), err)
}

func identifyAll(t *testing.T, db *store.DB, users ...string) {
	t.Helper()
	var calls []ingest.Call
	for _, u := range users {
		calls = append(calls, ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: "shop", Identifiers: storetest.Identifiers("user_id", u)})
	}
	if _, err := db.Ingest(t.Context(), calls); err != nil {
		t.Fatalf("storing people: %v", err)
	}
}

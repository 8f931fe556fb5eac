package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func spool(t *testing.T, db *store.DB, pairs ...string) *store.Spool {
	t.Helper()
	s, err := db.OpenSpool(t.Context(), erasure.NewBulk{Origin: erasure.API, Actor: erasure.System, Reason: "asked by letter"})
	must(t, err)
	for i, asked := range storetest.Identifiers(pairs...) {
		must(t, s.Add(t.Context(), erasure.Line{N: i + 1, Asked: asked}))
	}
	return s
}

// I2, of lists: however one ends, its key is destroyed and its lines are gone.
func TestAListLeavesNoKeyAndNoLine(t *testing.T) {
	ends := map[string]struct {
		end    func(t *testing.T, db *store.DB, clock *storetest.Clock)
		spools int // rows that stay, to tell of a list that was queued
	}{
		"discarded": {end: func(t *testing.T, db *store.DB, _ *storetest.Clock) {
			s := spool(t, db, "user_id", "u1")
			_, err := s.Check(t.Context())
			must(t, err)
			another := spool(t, db, "user_id", "u1")
			must(t, another.Discard(t.Context()))
			bulks, err := db.UnfinishedBulks(t.Context())
			must(t, err)
			must(t, db.DiscardBulk(t.Context(), bulks[0].ID, erasure.System))
		}},
		"expired": {end: func(t *testing.T, db *store.DB, clock *storetest.Clock) {
			_, err := spool(t, db, "user_id", "u1").Check(t.Context())
			must(t, err)
			clock.Advance(erasure.BulkLife)
			_, err = db.DestroySpools(t.Context())
			must(t, err)
		}},
		"received for too long": {end: func(t *testing.T, db *store.DB, clock *storetest.Clock) {
			spool(t, db, "user_id", "u1")
			clock.Advance(erasure.BulkLife)
			_, err := db.DestroySpools(t.Context())
			must(t, err)
		}},
		"queued": {spools: 1, end: func(t *testing.T, db *store.DB, _ *storetest.Clock) {
			id, _, err := spool(t, db, "user_id", "u1").Confirm(t.Context(), store.Once{})
			must(t, err)
			must(t, db.QueueBulk(t.Context(), id))
		}},
	}
	for name, c := range ends {
		t.Run(name, func(t *testing.T) {
			dir, clock := filepath.Join(t.TempDir(), "data"), storetest.NewClock()
			db := storetest.Open(t, storetest.InDir(dir), storetest.WithClock(clock))
			identifyAll(t, db, "u1")
			c.end(t, db, clock)
			checkNoLines(t, db, dir, c.spools)
		})
	}
}

// What became of the lines is kept as long as the log at least; of the batch it
// is kept after that too.
func TestTheResultsOfAListAreKeptAsLongAsTheLog(t *testing.T) {
	dir, clock := filepath.Join(t.TempDir(), "data"), storetest.NewClock()
	db := storetest.Open(t, storetest.InDir(dir), storetest.WithClock(clock))
	identifyAll(t, db, "u1")
	id, _, err := spool(t, db, "user_id", "u1").Confirm(t.Context(), store.Once{})
	must(t, err)
	must(t, db.QueueBulk(t.Context(), id))
	results := func() (n int) {
		_, err := db.Sweep(t.Context(), store.SweepOptions{})
		must(t, err)
		must(t, storetest.Raw(t, dir).QueryRow(`SELECT (SELECT COUNT(*) FROM spools) + (SELECT COUNT(*) FROM bulk_results)`).Scan(&n))
		return n
	}
	clock.Advance(store.LogRetention - time.Second)
	if n := results(); n != 2 {
		t.Errorf("%d rows a second before", n)
	}
	clock.Advance(time.Second)
	if n := results(); n != 0 {
		t.Errorf("%d rows afterwards", n)
	}
	batch, err := db.Batch(t.Context(), id)
	if must(t, err); batch.Matched != 1 {
		t.Errorf("the batch is %+v", batch)
	}
}

func checkNoLines(t *testing.T, db *store.DB, dir string, spools int) {
	t.Helper()
	raw := storetest.Raw(t, dir)
	var lines, named, rows int
	must(t, raw.QueryRow(`SELECT COUNT(*) FROM spooled`).Scan(&lines))
	must(t, raw.QueryRow(`SELECT COUNT(*), COUNT(key_id) + COUNT(reason) FROM spools`).Scan(&rows, &named))
	if lines != 0 || named != 0 || rows != spools {
		t.Errorf("%d rows of lines, %d of lists with %d keys and reasons", lines, rows, named)
	}
	if db.DestroyedKeys(t) == 0 {
		t.Error("no key was destroyed")
	}
}

// A list that was on its way when a server ended is given up by the next one;
// one that was confirmed goes on.
func TestAListAcrossARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	serve := func(o *store.Options) { o.Dir, o.Serve = dir, true }
	db, err := store.Open(t.Context(), store.Options{Dir: dir, Serve: true, Clock: storetest.NewClock()})
	must(t, err)
	identifyAll(t, db, "u1", "u2")
	broken := spool(t, db, "user_id", "u1")
	id, _, err := spool(t, db, "user_id", "u2").Confirm(t.Context(), store.Once{})
	must(t, err)
	must(t, db.Close())

	db = storetest.Open(t, serve)
	if _, err := broken.Check(t.Context()); err == nil {
		t.Error("a list went on in a closed store")
	}
	left, err := db.UnfinishedBulks(t.Context())
	if must(t, err); len(left) != 1 || left[0].ID != id || left[0].Stage != erasure.Queueing {
		t.Fatalf("there are %+v", left)
	}
	must(t, db.QueueBulk(t.Context(), id))
	if busy, err := db.DestroySpools(t.Context()); busy || err != nil {
		t.Fatal(busy, err)
	}
	checkNoLines(t, db, dir, 1)
}

// What a chunk was prepared with must not outlive a change, by this program or
// another one.
func TestAListAsksForWhomItLeadsToWhenItIsQueued(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	db := storetest.Open(t, storetest.InDir(dir))
	other := storetest.Open(t, storetest.InDir(dir))
	for name, by := range map[string]*store.DB{"this program": db, "another program": other} {
		t.Run(name, func(t *testing.T) {
			queue := func(user string, between func()) erasure.Request {
				identifyAll(t, db, user)
				id, _, err := spool(t, db, "user_id", user).Confirm(t.Context(), store.Once{})
				must(t, err)
				must(t, db.QueueBulkAfter(t.Context(), id, between))
				var r erasure.Request
				must(t, db.BulkResults(t.Context(), id, func(l erasure.LineResult) error {
					r, err = db.Request(t.Context(), *l.Request)
					return err
				}))
				return r
			}
			r := queue(name, func() { storetest.Identify(t, by, "crm", "user_id", name, "fbp", name) })
			if r.Identifiers != 2 {
				t.Errorf("it was asked for with %d identifiers", r.Identifiers)
			}
		})
	}
}

// A request made meanwhile leaves a look-up as it was, but must not be doubled.
func TestAListAndARequestForOnePerson(t *testing.T) {
	db := storetest.Open(t)
	identifyAll(t, db, "u1", "u2")
	id, _, err := spool(t, db, "user_id", "u1", "user_id", "u2").Confirm(t.Context(), store.Once{})
	must(t, err)
	var single erasure.Request
	must(t, db.QueueBulkAfter(t.Context(), id, func() {
		single, _, err = db.RequestErasure(t.Context(), erasure.NewRequest{
			Asked: storetest.Identifiers("user_id", "u2")[0], Origin: erasure.API, Actor: erasure.System})
		must(t, err)
	}))
	var results []erasure.LineResult
	must(t, db.BulkResults(t.Context(), id, func(r erasure.LineResult) error {
		results = append(results, r)
		return nil
	}))
	if len(results) != 2 || results[0].Outcome != erasure.Queued || results[1].Outcome != erasure.AlreadyRequested || *results[1].Request != single.ID {
		t.Errorf("the lines led to %+v, and the single request is %s", results, single.ID)
	}
}

// A list is queued half as fast while its look-ups go stale.
func TestWhatMakesALookUpStale(t *testing.T) {
	for query, want := range map[string]bool{
		`INSERT INTO lookup (key, mac, profile) VALUES ($1, $2, $3)`:   true,
		`INSERT INTO claimed (profile) VALUES ($1)`:                    true,
		`UPDATE profiles SET leads_to = $1 WHERE id = $2`:              true,
		`DELETE FROM fragments WHERE id = $1`:                          true,
		`UPDATE requests SET state = 'cancelled' WHERE id = $1`:        true,
		"DELETE FROM\n\trequests WHERE id = $1":                        true,
		`WITH gone (id) AS (VALUES (1)) DELETE FROM claimed`:           true,
		`UPDATE OR IGNORE lookup SET profile = $1`:                     true,
		`INSERT INTO of_tomorrow (id) VALUES ($1)`:                     true,
		`INSERT INTO requests (id) VALUES ($1) ON CONFLICT DO NOTHING`: false,
		`INSERT INTO request_counts (state, requests) VALUES ($1, $2)`: false,
		`INSERT INTO log_entries (content) VALUES ($1)`:                false,
		`UPDATE sessions SET seen = $1 WHERE id = $2`:                  false,
	} {
		if got := store.Steers(query); got != want {
			t.Errorf("%s: %v", query, got)
		}
	}
}

// One list at a time is worked on, and one that waits for its turn can be
// broken off.
func TestListsTakeTurns(t *testing.T) {
	db := storetest.Open(t)
	identifyAll(t, db, "u1")
	checked, err := spool(t, db, "user_id", "u1").Check(t.Context())
	must(t, err)
	queued, _, err := spool(t, db, "user_id", "u1").Confirm(t.Context(), store.Once{})
	must(t, err)
	release := db.HoldTurn()
	for what, work := range map[string]func(context.Context) error{
		"checked": func(ctx context.Context) error { return db.CheckBulk(ctx, checked) },
		"queued":  func(ctx context.Context) error { return db.QueueBulk(ctx, queued) },
	} {
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond) // many times what the work takes
		if err := work(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a list was %s out of turn: %v", what, err)
		}
		stop()
	}
	release()
	must(t, db.CheckBulk(t.Context(), checked))
	must(t, db.QueueBulk(t.Context(), queued))
	batch, err := db.Batch(t.Context(), queued)
	if must(t, err); batch.Queued() != 1 {
		t.Errorf("the batch is %+v", batch)
	}
}

// The runner leaves a list alone that a call is queueing.
func TestAListThatIsBeingQueuedIsNotUnfinished(t *testing.T) {
	db := storetest.Open(t)
	identifyAll(t, db, "u1")
	id, _, err := spool(t, db, "user_id", "u1").Confirm(t.Context(), store.Once{})
	must(t, err)
	release := db.HoldTurn()
	queued := make(chan error)
	go func() { queued <- db.QueueBulk(t.Context(), id) }()
	deadline := time.Now().Add(10 * time.Second)
	for left := 1; left > 0; {
		lists, err := db.UnfinishedBulks(t.Context())
		must(t, err)
		if left = len(lists); time.Now().After(deadline) {
			t.Fatal("it is still given to the runner")
		}
	}
	release()
	must(t, <-queued)
}

// A list of whatever strings is sealed and queued in pieces of bounded size.
func TestAChunkOfAListIsBounded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	db := storetest.Open(t, storetest.InDir(dir))
	s := spool(t, db)
	long := strings.Repeat("x", 60_000)
	for i := range 40 {
		line := erasure.Line{N: i + 1, Asked: storetest.Identifiers("user_id", "u1")[0]}
		*[]*string{&line.Asked.Key, &line.Asked.Value, &line.Reason, &line.Reference, &line.Refused}[i%5] = long
		must(t, s.Add(t.Context(), line))
	}
	_, err := s.Check(t.Context())
	must(t, err)
	var chunks int
	must(t, storetest.Raw(t, dir).QueryRow(`SELECT COUNT(*) FROM spooled`).Scan(&chunks))
	if chunks != 8 { // of five strings each, so that every one of them counts
		t.Errorf("%d chunks", chunks)
	}
}

// Lists leave room for what ends them and for all that is asked for singly.
func TestAListDoesNotFillTheDisk(t *testing.T) {
	db := storetest.Open(t)
	s := spool(t, db, "user_id", "u1")
	db.PretendDisk(49_999)
	if _, err := s.Check(t.Context()); !store.Full(err) {
		t.Errorf("with less than a twentieth free it is %v", err)
	}
	db.PretendDisk(50_000)
	id, err := s.Check(t.Context())
	must(t, err)
	db.PretendDisk(49_999)
	if err := db.CheckBulk(t.Context(), id); !store.Full(err) {
		t.Errorf("a list that is taken is worked on: %v", err)
	}
}

// Also a list that a cancel ended keeps what became of its lines.
func TestTheResultsOfACancelledListOutliveASweep(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	identifyAll(t, db, "u1")
	id, _, err := spool(t, db, "user_id", "u1").Confirm(t.Context(), store.Once{})
	must(t, err)
	_, err = db.CancelBatchOnce(t.Context(), id, erasure.System, erasure.API, store.Once{})
	must(t, err)
	_, err = db.DestroySpools(t.Context())
	must(t, err)
	clock.Advance(store.SweepEvery)
	_, err = db.Sweep(t.Context(), store.SweepOptions{})
	must(t, err)
	list, err := db.Bulk(t.Context(), id)
	if must(t, err); list.Stage != erasure.Done || !list.Expires.IsZero() {
		t.Errorf("the list is %+v", list)
	}
}

func TestAPanicOverAListIsAnErrorAndEndsItsTurn(t *testing.T) {
	db := storetest.Open(t)
	for range 2 {
		err := db.InTurn(t.Context(), func() error { panic("somebody's data") })
		if err == nil || strings.Contains(err.Error(), "somebody") {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestAListHasALimitOfLines(t *testing.T) {
	db := storetest.Open(t)
	s := spool(t, db)
	s.Pretend(erasure.ListLines - 1)
	line := erasure.Line{Asked: storetest.Identifiers("user_id", "u1")[0]}
	must(t, s.Add(t.Context(), line))
	storetest.WantCode(t, s.Add(t.Context(), line), erasure.CodeTooLarge)
}

package store_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// call is one client's call about one request: what it got, and the store's
// time before and after it.
type call struct {
	request       erasure.RequestID
	due           int64
	got           erasure.State // what the request then was, or was made
	refused       bool          // a cancel that came too late
	before, after int64
}

// life is what a request may do, whatever the number of clients and runners:
// it is cancelled inside its window or claimed after it, and never both.
var life = porcupine.Model{
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		byRequest := map[erasure.RequestID][]porcupine.Operation{}
		for _, op := range history {
			id := op.Input.(call).request
			byRequest[id] = append(byRequest[id], op)
		}
		for _, p := range byRequest {
			parts = append(parts, p)
		}
		return parts
	},
	Init: func() any { return erasure.Pending },
	Step: func(state, input, _ any) (bool, any) {
		s, c := state.(erasure.State), input.(call)
		switch {
		case c.refused:
			return s == erasure.InProgress || s == erasure.Pending && c.after >= c.due, s
		case c.got == erasure.Cancelled:
			return s == erasure.Pending && c.before < c.due, erasure.Cancelled
		case c.got == erasure.InProgress:
			return s == erasure.Pending && c.after >= c.due, erasure.InProgress
		}
		return s == erasure.Cancelled, s // told that it was cancelled before
	},
}

// rivals are a cancel and a claim that shall not both succeed.
type rivals struct {
	cancel func(*store.DB, *testing.T, erasure.RequestID) error
	claim  func(*store.DB, *testing.T) ([]erasure.RequestID, error)
}

func cancelOf(db *store.DB, t *testing.T, id erasure.RequestID) error {
	_, err := db.Cancel(t.Context(), id, erasure.System, erasure.API)
	return err
}

func claimOf(db *store.DB, t *testing.T) ([]erasure.RequestID, error) {
	return db.ClaimIDs(t.Context(), 500)
}

// I3: cancels and claims from many clients and two runners on one store.
func TestARequestIsCancelledOrClaimedNeverBoth(t *testing.T) {
	t.Parallel()
	h := newHistory(t, rivals{cancelOf, claimOf})
	h.record(t, storetest.Scale(t, 200_000))
	if !porcupine.CheckOperations(life, h.operations) {
		t.Error("the history is not linearizable")
	}
	var cancelled, claimed int
	for _, op := range h.operations {
		switch c := op.Input.(call); {
		case c.refused:
		case c.got == erasure.Cancelled && op.Output == nil:
			cancelled++
		case c.got == erasure.InProgress:
			claimed++
		}
	}
	if cancelled < h.made/20 || claimed < h.made/20 {
		t.Errorf("of %d requests %d were cancelled and %d claimed: that is no race", h.made, cancelled, claimed)
	}
	storetest.CheckLog(t, h.dir)
}

// The check above finds what it looks for.
func TestABrokenClaimOrCancelIsNoticed(t *testing.T) {
	for name, broken := range map[string]rivals{
		"a claim that does not ask for the time":   {cancelOf, claimEarly},
		"a cancel that does not ask for the state": {cancelAnything, claimOf},
		"a cancel that reads first, then writes":   {cancelWhatWasRead, claimOf},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 50 {
				h := newHistory(t, broken)
				h.record(t, 1000)
				if !porcupine.CheckOperations(life, h.operations) {
					return
				}
			}
			t.Error("50 histories of it are linearizable")
		})
	}
}

func claimEarly(db *store.DB, t *testing.T) (ids []erasure.RequestID, err error) {
	err = db.Write(t.Context(), func(tx *store.Tx) error {
		ids, err = tx.IDs(`UPDATE requests SET state = 'in_progress' WHERE state = 'pending'
			AND id IN (SELECT id FROM requests WHERE state = 'pending' LIMIT 2) RETURNING id`)
		return err
	})
	return ids, err
}

func cancelAnything(db *store.DB, t *testing.T, id erasure.RequestID) error {
	return db.Write(t.Context(), func(tx *store.Tx) error {
		n, err := tx.Exec(`UPDATE requests SET state = 'cancelled' WHERE id = $1 AND due > $2`, id[:], tx.Passed())
		if err == nil && n == 0 {
			err = erasure.Errorf(erasure.CodeTooLate, "too late")
		}
		return err
	})
}

func cancelWhatWasRead(db *store.DB, t *testing.T, id erasure.RequestID) error {
	r, err := db.Request(t.Context(), id)
	if err != nil {
		return err
	}
	if r.State == erasure.Cancelled {
		return erasure.Errorf(erasure.CodeNotPending, "cancelled before")
	}
	if !r.Cancellable {
		return erasure.Errorf(erasure.CodeTooLate, "too late")
	}
	return db.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE requests SET state = 'cancelled' WHERE id = $1`, id[:])
		return err
	})
}

// history records what many clients of two stores on one directory do.
type history struct {
	rivals
	dir    string
	clock  *storetest.Clock
	stores []*store.DB
	made   int

	left       atomic.Int64
	mu         sync.Mutex
	operations []porcupine.Operation
	recent     []erasure.Request
	dues       map[erasure.RequestID]int64
	start      time.Time
}

const (
	clients = 16
	window  = 64 * time.Millisecond // of the test's clock, which each call moves on
)

func newHistory(t *testing.T, r rivals) *history {
	t.Helper()
	h := &history{rivals: r, dir: filepath.Join(t.TempDir(), "data"), clock: storetest.NewClock(),
		dues: map[erasure.RequestID]int64{}, start: time.Now()}
	for range 2 {
		h.stores = append(h.stores, storetest.Open(t, storetest.InDir(h.dir), storetest.WithClock(h.clock),
			func(o *store.Options) { o.CancelWindow = window }))
	}
	return h
}

func (h *history) record(t *testing.T, operations int) {
	h.left.Store(int64(operations))
	var clientsDone sync.WaitGroup
	for i := range clients {
		clientsDone.Go(func() { h.client(t, h.stores[i%len(h.stores)], rand.New(rand.NewPCG(uint64(i), 1)), i) })
	}
	clientsDone.Wait()
}

func (h *history) client(t *testing.T, db *store.DB, r *rand.Rand, client int) {
	for h.left.Add(-1) >= 0 {
		h.clock.Advance(time.Millisecond)
		switch n := r.IntN(10); {
		case n == 0:
			h.request(t, db)
		case n <= 2:
			h.claims(t, db, client)
		default:
			h.cancels(t, db, client, r)
		}
	}
}

// request asks for nobody: such a request lives as any other.
func (h *history) request(t *testing.T, db *store.DB) {
	r, _, err := db.RequestErasure(t.Context(), erasure.NewRequest{Unknown: true, Origin: erasure.June,
		Asked: storetest.Identifiers("user_id", erasure.NewRequestID(storetest.Start).String())[0]})
	if err != nil {
		t.Error(err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.made++
	h.dues[r.ID] = db.DueOf(t, r.ID)
	h.recent = append(h.recent, r)
	if len(h.recent) > 16 {
		h.recent = h.recent[1:]
	}
}

func (h *history) cancels(t *testing.T, db *store.DB, client int, r *rand.Rand) {
	h.mu.Lock()
	if len(h.recent) == 0 {
		h.mu.Unlock()
		return
	}
	id := h.recent[r.IntN(len(h.recent))].ID
	c := call{request: id, due: h.dues[id], got: erasure.Cancelled}
	h.mu.Unlock()

	called := h.enter(db, &c)
	err := h.cancel(db, t, id)
	switch erasure.CodeOf(err) {
	case "":
		if err != nil {
			t.Error(err)
			return
		}
	case erasure.CodeTooLate:
		c.refused = true
	case erasure.CodeNotPending:
		c.got = erasure.Completed // stands for "was cancelled before"
	default:
		t.Error(err)
	}
	h.leave(db, client, called, c)
}

func (h *history) claims(t *testing.T, db *store.DB, client int) {
	var c call
	called := h.enter(db, &c)
	ids, err := h.claim(db, t)
	if err != nil {
		t.Error(errors.Join(errors.New("a claim failed"), err))
		return
	}
	for _, id := range ids {
		one := c
		one.request, one.got = id, erasure.InProgress
		h.leave(db, client, called, one)
	}
}

func (h *history) enter(db *store.DB, c *call) (called int64) {
	c.before = db.StoreTime().Passed()
	return int64(time.Since(h.start))
}

func (h *history) leave(db *store.DB, client int, called int64, c call) {
	c.after = db.StoreTime().Passed()
	returned := int64(time.Since(h.start))
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.due == 0 {
		c.due = h.dues[c.request]
	}
	h.operations = append(h.operations, porcupine.Operation{ClientId: client, Input: c, Call: called, Return: returned})
}

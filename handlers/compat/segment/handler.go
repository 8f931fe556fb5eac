// Package segment takes in what SDKs of the Segment spec send. Its contract is
// README.md.
package segment

import (
	"context"
	"iter"
	"net/http"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/ingest"
)

// Handler answers the routes. An error that they return is answered with
// [Refuse].
type Handler struct {
	db      *store.DB
	limiter *wire.Limiter
	turns   chan struct{} // of batches at the store
	// Whoever has no key must not take the room of those who showed theirs.
	shown, unshown room
}

// New makes a handler.
func New(db *store.DB, limiter *wire.Limiter) *Handler {
	return &Handler{
		db: db, limiter: limiter, turns: make(chan struct{}, atOnce),
		shown: make(room, batchesHeld), unshown: make(room, batchesHeld),
	}
}

// What batches may have before the store at once, so that whoever else writes,
// such as staff in the console, waits for a commit of a part of a second.
const (
	atOnce = 16
	inPart = 100 // events
)

// Call returns what stores one call of a kind.
func (h *Handler) Call(kind ingest.Kind) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		c, err := h.enter(w, r, ingest.EventSize)
		if err != nil {
			return err
		}
		defer c.leave()
		told, err := ingest.ParseKind(kind, c.body)
		if err != nil {
			return err
		}
		told.Source = ingest.SourceOf(c.key.Name)
		results, err := h.db.Ingest(r.Context(), []ingest.Call{told})
		if err != nil {
			return err
		}
		if err := results[0].Err; err != nil {
			return err
		}
		return accept(w)
	}
}

// Batch stores the events of a batch. One that is refused does not stop the
// others: the client would drop them with it.
func (h *Handler) Batch(w http.ResponseWriter, r *http.Request) error {
	c, err := h.enter(w, r, ingest.BatchSize)
	if err != nil {
		return err
	}
	defer c.leave()
	events, err := ingest.ParseBatch(c.body)
	if err != nil {
		return err
	}
	next, stop := iter.Pull(events)
	defer stop()
	var t tally
	for more := true; more; {
		if more, err = h.storePart(r.Context(), next, ingest.SourceOf(c.key.Name), &t); err != nil {
			return err
		}
	}
	if err := t.refused(); err != nil {
		return err
	}
	return accept(w)
}

// storePart waits for a turn, then reads and stores some events; more is false
// after the last. Where a later part fails, the earlier ones stay: sent again,
// they are known by their message ids.
func (h *Handler) storePart(ctx context.Context, next func() (ingest.Event, bool), source string, t *tally) (more bool, err error) {
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	var calls []ingest.Call
	var of []int // the event that a call is
	for range inPart {
		e, ok := next()
		if !ok {
			break
		}
		if t.add(e.Err); e.Err == nil {
			e.Call.Source = source
			calls, of = append(calls, e.Call), append(of, t.events)
		}
		more = t.events%inPart == 0
	}
	results, err := h.db.Ingest(ctx, calls)
	for i, result := range results {
		t.note(of[i], result.Err)
	}
	return more, err
}

// Package segment takes in what SDKs of the Segment spec send. Its contract is
// README.md.
package segment

import (
	"context"
	"net/http"
	"slices"

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
}

// New makes a handler.
func New(db *store.DB, limiter *wire.Limiter) *Handler {
	return &Handler{db: db, limiter: limiter, turns: make(chan struct{}, atOnce)}
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
	var calls []ingest.Call
	var of []int // the event that a call is
	for i, e := range events {
		if e.Err == nil {
			e.Call.Source = ingest.SourceOf(c.key.Name)
			calls, of = append(calls, e.Call), append(of, i)
		}
	}
	for part := range slices.Chunk(calls, inPart) {
		results, err := h.store(r.Context(), part)
		if err != nil {
			return err
		}
		for i, result := range results {
			events[of[i]].Err = result.Err
		}
		of = of[len(part):]
	}
	if err := refused(events); err != nil {
		return err
	}
	return accept(w)
}

// store waits for a turn. Where a later part fails, the earlier ones stay: sent
// again, they are known by their message ids.
func (h *Handler) store(ctx context.Context, part []ingest.Call) ([]store.Result, error) {
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
		return h.db.Ingest(ctx, part)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

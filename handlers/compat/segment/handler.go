// Package segment takes in what SDKs of the Segment spec send. Its contract is
// README.md.
package segment

import (
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
}

// New makes a handler.
func New(db *store.DB, limiter *wire.Limiter) *Handler {
	return &Handler{db: db, limiter: limiter}
}

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

// Batch stores the events of a batch in one commit. One that is refused does
// not stop the others: the client would drop them with it.
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
	if len(calls) > 0 {
		results, err := h.db.Ingest(r.Context(), calls)
		if err != nil {
			return err
		}
		for i, result := range results {
			events[of[i]].Err = result.Err
		}
	}
	if err := refused(events); err != nil {
		return err
	}
	return accept(w)
}

// Package customerlabs answers CustomerLabs' user deletion API. Its contract
// is README.md.
package customerlabs

import (
	"net/http"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// Handler answers the two routes. An error that they return is answered with
// [Refuse].
type Handler struct {
	db      *store.DB
	limiter *wire.Limiter
	wake    func() // tells the runner that there may be work
}

// New makes a handler.
func New(db *store.DB, limiter *wire.Limiter, wake func()) *Handler {
	return &Handler{db: db, limiter: limiter, wake: wake}
}

// Request puts a deletion in the queue.
func (h *Handler) Request(w http.ResponseWriter, r *http.Request) error {
	return h.answer(w, r, queued, func(actor erasure.Actor, id erasure.Identifier) error {
		_, created, err := h.db.RequestErasure(r.Context(), erasure.NewRequest{
			Asked: id, Origin: erasure.CustomerLabs, Actor: actor,
		})
		if created {
			h.wake()
		}
		return err
	})
}

// Cancel ends a deletion that is still pending.
func (h *Handler) Cancel(w http.ResponseWriter, r *http.Request) error {
	return h.answer(w, r, cancelled, func(actor erasure.Actor, id erasure.Identifier) error {
		_, err := h.db.CancelByIdentifier(r.Context(), id, actor, erasure.CustomerLabs)
		return err
	})
}

// answer does what both routes share: the key comes first, so that nobody
// without one learns what a body would have done.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, done []byte, do func(erasure.Actor, erasure.Identifier) error) error {
	key, err := h.key(r)
	if err != nil {
		return err
	}
	leave, err := h.limiter.Enter(key.ID)
	if err != nil {
		return err
	}
	defer leave()
	body, err := wire.ReadBody(w, r, wire.BodyLimit)
	if err != nil {
		return err
	}
	id, err := readIdentifier(body)
	if err != nil {
		return err
	}
	if err := do(wire.Actor(key), id); err != nil {
		return err
	}
	write(w, http.StatusOK, done)
	return nil
}

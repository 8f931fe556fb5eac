// Package lytics answers Lytics' deletion APIs, v2 and v1. Its contract is
// README.md.
package lytics

import (
	"context"
	"net/http"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// Handler answers the routes. An error that they return is answered with
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

// Request asks for everyone that the identifier in the path leads to.
func (h *Handler) Request(w http.ResponseWriter, r *http.Request) error {
	c, err := h.enter(r)
	if err != nil {
		return err
	}
	defer c.leave()
	id, err := pathIdentifier(r)
	if err != nil {
		return err
	}
	d, err := h.requestMatches(r, id, c.actor)
	if err != nil {
		return err
	}
	return write(w, http.StatusAccepted, answer[deletion]{Data: d, Status: http.StatusAccepted, Message: success, RequestID: d.RequestID})
}

// requestMatches asks for every profile that an identifier leads to.
func (h *Handler) requestMatches(r *http.Request, id erasure.Identifier, actor erasure.Actor) (deletion, error) {
	made, batch, err := h.db.RequestMatches(r.Context(), erasure.NewRequest{Asked: id, Origin: erasure.Lytics, Actor: actor})
	if err != nil {
		return deletion{}, err
	}
	h.wake()
	s := erasure.Submission{Request: &made[0]}
	if batch != nil {
		b, err := h.db.Batch(context.WithoutCancel(r.Context()), *batch) // it is queued by now
		if err != nil {
			return deletion{}, err
		}
		s = erasure.Submission{Batch: &b}
	}
	return deletionOf(s), nil
}

// pathIdentifier reads whom a path is about: nobody, where no one can have such
// a field or value. [http.ServeMux] has decoded each segment once.
func pathIdentifier(r *http.Request) (erasure.Identifier, error) {
	if endsInEncodedSlash(r) {
		return erasure.Identifier{}, &wire.Fault{Status: http.StatusNotFound, Sentence: "Check the path: there is no such route."}
	}
	id, err := identifier(r.PathValue("table"), r.PathValue("field"), r.PathValue("value"))
	if err != nil {
		return id, err
	}
	if erasure.CheckIdentifier(id) != nil {
		return id, store.ErrNobody
	}
	return id, nil
}

// endsInEncodedSlash reports whether a path has one more segment than its
// route: "%2F", which [http.ServeMux] takes for the slash that may end a path.
func endsInEncodedSlash(r *http.Request) bool {
	path := r.URL.EscapedPath()
	return len(path) > 4 && (path[len(path)-4:] == "/%2F" || path[len(path)-4:] == "/%2f")
}

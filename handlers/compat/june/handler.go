// Package june answers June's data deletion API. Its contract is README.md.
package june

import (
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

// RequestUser puts the deletion of a user in the queue.
func (h *Handler) RequestUser(w http.ResponseWriter, r *http.Request) error {
	return h.request(w, r, users)
}

// RequestGroup puts the deletion of a group in the queue.
func (h *Handler) RequestGroup(w http.ResponseWriter, r *http.Request) error {
	return h.request(w, r, groups)
}

// ListUsers lists the requests for users, a page at a time.
func (h *Handler) ListUsers(w http.ResponseWriter, r *http.Request) error {
	return h.list(w, r, users)
}

// ListGroups lists the requests for groups, a page at a time.
func (h *Handler) ListGroups(w http.ResponseWriter, r *http.Request) error {
	return h.list(w, r, groups)
}

func (h *Handler) request(w http.ResponseWriter, r *http.Request, of subject) error {
	key, leave, err := h.enter(r)
	if err != nil {
		return err
	}
	defer leave()
	body, err := wire.ReadBody(w, r, wire.BodyLimit)
	if err != nil {
		return err
	}
	id, err := of.readID(body)
	if err != nil {
		return err
	}
	made, created, err := h.db.RequestErasure(r.Context(), erasure.NewRequest{
		Asked:   erasure.Identifier{Table: of.table, Key: of.key, Value: id},
		Unknown: true, Suppress: true, Origin: erasure.June, Actor: wire.Actor(key),
	})
	if err != nil {
		return err
	}
	if created {
		h.wake()
	}
	return write(w, http.StatusOK, accepted{http.StatusOK, true, of.request(made, id)})
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, of subject) error {
	key, leave, err := h.enter(r)
	if err != nil {
		return err
	}
	defer leave()
	states, number, err := readQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	found, total, err := h.db.RequestPage(r.Context(), wire.Actor(key), store.RequestPage{
		Table: of.table, Key: of.key, States: states, Number: number, Size: perPage,
	})
	if err != nil {
		return err
	}
	page := listed{Status: http.StatusOK, Success: true, Page: number, PerPage: perPage, Total: total}
	for _, f := range found {
		page.Requests = append(page.Requests, of.request(f.Request, f.Value))
	}
	return write(w, http.StatusOK, page)
}

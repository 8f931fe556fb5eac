// Package clevertap answers CleverTap's API to delete profiles. Its contract
// is README.md.
package clevertap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// Handler answers the route. An error that it returns is answered with
// [Refuse].
type Handler struct {
	db       *store.DB
	limiter  *wire.Limiter
	accounts *wire.Limiter
	wake     func() // tells the runner that there may be work
}

// New makes a handler. An account may have so many requests at once, whichever
// of its keys they come with; 0 is any number.
func New(db *store.DB, limiter *wire.Limiter, concurrency int, wake func()) *Handler {
	return &Handler{db: db, limiter: limiter, accounts: wire.NewLimiter(0, concurrency), wake: wake}
}

// Request puts everyone whom a call names in the queue, or nobody. A call
// counts for its account before its body is read.
func (h *Handler) Request(w http.ResponseWriter, r *http.Request) error {
	key, err := h.key(r)
	if err != nil {
		return err
	}
	leave, err := h.accounts.Enter(key.AccountID)
	if err != nil {
		return errors.Join(errConcurrent, err)
	}
	defer leave()
	leave, err = h.limiter.Enter(key.ID)
	if err != nil {
		return err
	}
	defer leave()
	body, err := wire.ReadBody(w, r, wire.BodyLimit)
	if err != nil {
		return err
	}
	ids, err := readIdentifiers(body)
	if err != nil {
		return err
	}
	if err := h.queue(r.Context(), wire.Actor(key), ids); err != nil {
		return err
	}
	h.wake()
	write(w, http.StatusOK, success)
	return nil
}

// queue asks for everyone in one commit. No identifier can spoil it: each was
// checked, leads to one profile at most, and may lead to nobody.
func (h *Handler) queue(ctx context.Context, actor erasure.Actor, ids []erasure.Identifier) (err error) {
	switch len(ids) {
	case 0:
	case 1:
		_, _, err = h.db.RequestErasure(ctx, erasure.NewRequest{
			Asked: ids[0], Unknown: true, Origin: erasure.CleverTap, Actor: actor,
		})
	default:
		var results []erasure.BatchResult
		_, results, err = h.db.RequestBatch(ctx, erasure.NewBatch{
			Asked: ids, Unknown: true, Unnamed: true, Origin: erasure.CleverTap, Actor: actor,
		})
		err = cmp.Or(err, leftOut(results))
	}
	return err
}

// leftOut is an error where an identifier was not taken: its request must not
// be answered as one that was.
func leftOut(results []erasure.BatchResult) error {
	for i, result := range results {
		if len(result.Requests) == 0 {
			return fmt.Errorf("identifier %d of %d is %s: %s", i+1, len(results), result.Outcome, result.Detail)
		}
	}
	return nil
}

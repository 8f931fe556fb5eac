package lytics

import (
	"context"
	"net/http"
	"strconv"

	"github.com/efface/efface/store/erasure"
)

// Status tells where a request or a batch stands.
func (h *Handler) Status(w http.ResponseWriter, r *http.Request) error {
	return tell(h, w, r, statusOf)
}

// DeleteStatus tells the same in the form of [Handler.Request].
func (h *Handler) DeleteStatus(w http.ResponseWriter, r *http.Request) error {
	return tell(h, w, r, deletionOf)
}

// List lists batches, and requests that are in none, newest first.
func (h *Handler) List(w http.ResponseWriter, r *http.Request) error {
	return list(h, w, r, statusOf)
}

// ListDeletions lists the same in the form of [Handler.Request].
func (h *Handler) ListDeletions(w http.ResponseWriter, r *http.Request) error {
	return list(h, w, r, deletionOf)
}

func tell[T any](h *Handler, w http.ResponseWriter, r *http.Request, form func(erasure.Submission) T) error {
	c, err := h.enter(r)
	if err != nil {
		return err
	}
	defer c.leave()
	s, err := h.db.Submission(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, answer[T]{Data: form(s), Status: http.StatusOK, Message: success})
}

func list[T any](h *Handler, w http.ResponseWriter, r *http.Request, form func(erasure.Submission) T) error {
	c, err := h.enter(r)
	if err != nil {
		return err
	}
	defer c.leave()
	found, next, err := h.page(r.Context(), c)
	if err != nil {
		return err
	}
	p := page[T]{Data: []T{}, Status: http.StatusOK, Message: success}
	for _, s := range found {
		p.Data = append(p.Data, form(s))
	}
	if next != "" {
		p.Next = &next
	}
	return write(w, http.StatusOK, p)
}

// pageLimit is how many are listed at most, and unless fewer are asked for.
const pageLimit = 100

func (h *Handler) page(ctx context.Context, c caller) (found []erasure.Submission, next string, err error) {
	given, err := c.parameter("limit", strconv.Itoa(pageLimit))
	if err != nil {
		return nil, "", err
	}
	limit, err := strconv.Atoi(given)
	if err != nil || limit < 1 || limit > pageLimit {
		return nil, "", erasure.Errorf(erasure.CodeInvalid, "Give limit as a number from 1 to %d.", pageLimit)
	}
	cursor, err := c.parameter("next", "")
	if err != nil {
		return nil, "", err
	}
	found, next, err = h.db.Submissions(ctx, cursor, limit)
	if erasure.CodeOf(err) == erasure.CodeInvalid {
		err = erasure.Errorf(erasure.CodeInvalid, "Give next as the page before gave it.")
	}
	return found, next, err
}

// Overview counts every request by its state.
func (h *Handler) Overview(w http.ResponseWriter, r *http.Request) error {
	c, err := h.enter(r)
	if err != nil {
		return err
	}
	defer c.leave()
	in, destroyed, err := h.db.RequestCounts(r.Context())
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, answer[overview]{Status: http.StatusOK, Message: success, Data: overview{
		Initial: in[erasure.Pending], Primary: in[erasure.InProgress] - destroyed, Archive: destroyed + in[erasure.Failed],
		Done: in[erasure.Completed], Failed: in[erasure.Cancelled],
	}})
}

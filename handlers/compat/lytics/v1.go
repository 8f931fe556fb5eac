package lytics

import (
	"net/http"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// received is what both v1 routes say of themselves.
const received = "delete request received"

// RequestV1 is [Handler.Request] in the form of v1.
func (h *Handler) RequestV1(w http.ResponseWriter, r *http.Request) error {
	c, err := h.enter(r)
	if err != nil {
		return err
	}
	defer c.leave()
	id, err := pathIdentifier(r)
	if err != nil {
		return err
	}
	conflicts, err := c.parameter("conflicts", "true")
	if err != nil {
		return err
	}
	var d deletion
	switch conflicts {
	case "true":
		d, err = h.requestMatches(r, id, c.actor)
	case "false":
		d, err = h.requestOne(r, id, c.actor)
	default:
		err = erasure.Errorf(erasure.CodeInvalid, "Give conflicts as true or false.")
	}
	if err != nil {
		return err
	}
	return writeV1(w, d)
}

// requestOne refuses an identifier that leads to several profiles.
func (h *Handler) requestOne(r *http.Request, id erasure.Identifier, actor erasure.Actor) (deletion, error) {
	made, created, err := h.db.RequestErasure(r.Context(), erasure.NewRequest{Asked: id, Origin: erasure.Lytics, Actor: actor})
	if err != nil {
		return deletion{}, err
	}
	if !created {
		return deletion{}, store.ErrAsked
	}
	h.wake()
	return deletionOf(erasure.Submission{Request: &made}), nil
}

// StatusV1 tells whether a request or a batch is done.
func (h *Handler) StatusV1(w http.ResponseWriter, r *http.Request) error {
	c, err := h.enter(r)
	if err != nil {
		return err
	}
	defer c.leave()
	s, err := h.db.Submission(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeV1(w, deletionOf(s))
}

func writeV1(w http.ResponseWriter, d deletion) error {
	data := deletionV1{RequestID: d.RequestID, Complete: d.Completed}
	if d.State == stateFailed {
		data.State, data.Reason = d.State, d.Reason
	}
	return write(w, http.StatusOK, answerV1{Status: http.StatusOK, Message: received, Data: data})
}

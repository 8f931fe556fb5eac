package segment

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// accept answers to the byte as Segment does.
func accept(w http.ResponseWriter) error {
	write(w, http.StatusOK, []byte(`{"success": true}`))
	return nil
}

// tally counts a batch's events and those of them that are refused.
type tally struct {
	events, count, first int
	why                  error // of the first of them
}

func (t *tally) add(err error) {
	t.events++
	t.note(t.events, err)
}

// note takes why the nth event is refused, if it is.
func (t *tally) note(n int, err error) {
	if err == nil {
		return
	}
	if t.count++; t.count == 1 || n < t.first {
		t.first, t.why = n, err
	}
}

// refused says which events of a batch were, or is nil where none was.
func (t *tally) refused() error {
	if t.count == 0 {
		return nil
	}
	why, ok := errors.AsType[*erasure.Error](t.why)
	if !ok {
		return t.why
	}
	if t.count == t.events {
		return erasure.Errorf(erasure.CodeInvalid, "%s This is event 1; none of the %d is stored.", why.Sentence, t.count)
	}
	return erasure.Errorf(erasure.CodeInvalid, "%s This is event %d; %d of %d are refused, and all others stored.",
		why.Sentence, t.first, t.count, t.events)
}

type refusal struct {
	Success bool   `json:"success"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Refuse answers an error in the form that SDKs read: one of them takes an
// answer without code and message for a broken server, and sends again. known
// is false where the error says nothing to the client and belongs in the log,
// beside reference.
func Refuse(w http.ResponseWriter, err error, reference string) (known bool) {
	status, sentence, known := wire.Classify(err)
	switch status {
	case http.StatusForbidden:
		status = http.StatusUnauthorized
	case http.StatusRequestEntityTooLarge:
		status = http.StatusBadRequest
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="Efface"`)
		sentence += " Send it as the user name of Basic authentication, or without that header as writeKey in the body."
	}
	if !known {
		sentence += " Reference: " + reference
	}
	code := strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
	b, err := json.Marshal(refusal{Code: code, Message: sentence})
	if err != nil {
		panic(err) // a sentence of our own is UTF-8
	}
	write(w, status, b)
	return known
}

func write(w http.ResponseWriter, status int, answer []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(answer) // a failed write means that the client went away
}

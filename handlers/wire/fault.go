package wire

import (
	"errors"
	"net/http"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// Fault is an error with a status of its own, such as a method that a path
// does not take.
type Fault struct {
	Status   int
	Sentence string
}

func (f *Fault) Error() string { return f.Sentence }

// inside is what is said of an error that says nothing to people. The
// reference beside it stands in the server's log too.
const inside = "Try again, and give the reference to whoever runs this server if it happens again."

// full is what is said where the disk takes no more; see [store.Full].
const full = "Tell whoever runs this server that its disk is full, and try again once there is room; nothing was changed."

// unwitnessed is what is said where the witness takes no more; see [store.ErrWitness].
const unwitnessed = "Tell whoever runs this server that its witness can't be written to, and try again once it can; whether anything was changed is shown only then."

var statuses = map[erasure.Code]int{
	erasure.CodeInvalid:      http.StatusBadRequest,
	erasure.CodeNotFound:     http.StatusNotFound,
	erasure.CodeShared:       http.StatusConflict,
	erasure.CodeTooLate:      http.StatusConflict,
	erasure.CodeNotPending:   http.StatusConflict,
	erasure.CodeConflict:     http.StatusConflict,
	erasure.CodeUnauthorized: http.StatusUnauthorized,
	erasure.CodeForbidden:    http.StatusForbidden,
	erasure.CodeLimited:      http.StatusTooManyRequests,
	erasure.CodeTooLarge:     http.StatusRequestEntityTooLarge,
	erasure.CodeKeyReused:    http.StatusUnprocessableEntity,
}

// Classify gives an error the status and the sentence that an API answers
// with, where its own contract has no others. known is false where the error
// belongs in the log: [inside] is then what people are told.
func Classify(err error) (status int, sentence string, known bool) {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Status, f.Sentence, true
	}
	if e, ok := errors.AsType[*erasure.Error](err); ok && statuses[e.Code] != 0 {
		return statuses[e.Code], e.Sentence, true
	}
	if errors.Is(err, store.ErrWitness) {
		return http.StatusServiceUnavailable, unwitnessed, false
	}
	if store.Full(err) {
		return http.StatusServiceUnavailable, full, false
	}
	return http.StatusInternalServerError, inside, false
}

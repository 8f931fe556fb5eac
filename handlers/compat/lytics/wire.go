package lytics

import (
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// success is the message of every answer that is none of v1's.
const success = "success"

// answer is what a route of v2 says. RequestID stands in answers to requests
// for an erasure.
type answer[T any] struct {
	Data      T      `json:"data"`
	Status    int    `json:"status"`
	Message   string `json:"message"`
	RequestID string `json:"request_id,omitempty"`
}

// page is one page of a list; Next is null at its end.
type page[T any] struct {
	Data    []T     `json:"data"`
	Status  int     `json:"status"`
	Message string  `json:"message"`
	Next    *string `json:"next"`
}

type deletion struct {
	RequestID string  `json:"request_id"`
	State     string  `json:"state"`
	Completed bool    `json:"completed"`
	Requested *string `json:"requested"`
	Submitted *string `json:"submitted"`
	Reason    string  `json:"reason,omitempty"`
}

type status struct {
	RequestID         string  `json:"request_id"`
	ProfilesRequested int     `json:"profiles_requested"`
	ProfilesDeleted   int     `json:"profiles_deleted"`
	Status            string  `json:"status"`
	Reason            string  `json:"reason,omitempty"`
	Submitted         *string `json:"submitted"`
	Updated           *string `json:"updated"`
}

type overview struct {
	Initial int `json:"initial"`
	Primary int `json:"primary"`
	Archive int `json:"archive"`
	Done    int `json:"done"`
	Failed  int `json:"failed"`
}

type queued struct {
	Successes map[string]string `json:"successes"`
	Errors    map[string]string `json:"errors"`
}

// answerV1 is what both routes of v1 say.
type answerV1 struct {
	Status  int        `json:"status"`
	Message string     `json:"message"`
	Data    deletionV1 `json:"data"`
}

type deletionV1 struct {
	RequestID string `json:"request_id"`
	Complete  bool   `json:"complete"`
	State     string `json:"state,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// keys are Lytics' names for Efface's keys. Any other field is the key of that
// name.
var keys = map[string]string{"_uid": erasure.KeyEffaceID}

func identifier(table, field, value string) (id erasure.Identifier, err error) {
	id = erasure.Identifier{Key: field, Value: value}
	if ours, ok := keys[field]; ok {
		id.Key = ours
	}
	switch erasure.Table(table) {
	case erasure.User, erasure.Group:
		id.Table = erasure.Table(table)
		return id, nil
	}
	return id, erasure.Errorf(erasure.CodeInvalid, "Give the table as user or group.")
}

// refusal carries both generations' shape: status and message are v1's.
type refusal struct {
	Status    int      `json:"status"`
	Message   string   `json:"message"`
	RequestID string   `json:"request_id"`
	Errors    []detail `json:"errors"`
}

type detail struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Level     string `json:"level"`
	Timestamp string `json:"timestamp"`
}

// notJSON is an error about a body that is no JSON, or is JSON that two readers
// could understand differently.
type notJSON struct{ error }

func (e notJSON) Unwrap() error { return e.error }

// Refuse answers an error in Lytics' form. known is false where the error says
// nothing to the client and belongs in the log, beside reference.
func Refuse(w http.ResponseWriter, err error, reference string) (known bool) {
	status, sentence, known := wire.Classify(err)
	switch erasure.CodeOf(err) {
	case erasure.CodeConflict:
		status = http.StatusNotFound // already queued
	case erasure.CodeShared:
		sentence = "This value leads to several profiles; ask for each by its _uid, or leave out conflicts=false."
	}
	_ = write(w, status, refusal{Status: status, Message: http.StatusText(status), RequestID: reference, Errors: []detail{{
		Code: codeOf(err, status), Message: sentence, Level: "error", Timestamp: time.Now().UTC().Format(time.RFC3339),
	}}})
	return known
}

// codeOf gives what the vendor has no code for that of a bad request.
func codeOf(err error, status int) string {
	if _, ok := errors.AsType[notJSON](err); ok {
		return "JSON-BADREQ-025"
	}
	switch {
	case status == http.StatusNotFound:
		return "NOTFOUND-003"
	case status == http.StatusUnauthorized:
		return "UNAUTHORIZED-017"
	case status == http.StatusForbidden:
		return "FORBIDDEN-026"
	case status >= http.StatusInternalServerError:
		return "INTERNAL-019"
	}
	return "BADREQ-001"
}

// write sends an answer whose values are known to have a JSON form.
func write(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // a failed write means that the client went away
	return nil
}

package customerlabs

import (
	"errors"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// The answers that clients compare, to the byte.
var (
	queued    = []byte(`{"success": true, "message": "User Deletion has been added to queue"}`)
	cancelled = []byte(`{"success": true, "message": "User deletion request has been cancelled"}`)
	noRecord  = []byte(`{"success": false, "message": "No delete record found for this query"}`)
	tooLate   = []byte(`{"success": false, "message": "The cancellation window has passed"}`)
	forbidden = []byte(`{"message": "Forbidden"}`)
)

// body is what both routes are sent.
type body struct {
	Key   string `json:"identify_by_key"`
	Value string `json:"identify_by_value"`
}

var contract = erasure.JSONContract{Members: erasure.Members{"identify_by_key": nil, "identify_by_value": nil}}

// keys are CustomerLabs' names for Efface's keys, of two generations of its
// page. Any other name is that of an external id, and of the key.
var keys = map[string]string{
	"customerlabs_user_id":        erasure.KeyEffaceID,
	"identify_by_email":           erasure.KeyEmail,
	"identify_by_phone":           erasure.KeyPhone,
	"facebook___fbp":              erasure.KeyFBP,
	"google_analytics__client_id": erasure.KeyGAClientID,
}

var errNobody = erasure.Errorf(erasure.CodeNotFound, "Nobody can have this identifier.")

// readIdentifier reads whom a body is about. What cannot be anybody's is not
// an error of its form: nothing matches it.
func readIdentifier(text []byte) (id erasure.Identifier, err error) {
	var b body
	if err := wire.Decode(text, &b, contract); err != nil {
		return id, err
	}
	if b.Key == "" {
		return id, erasure.Errorf(erasure.CodeInvalid, "Give identify_by_key.")
	}
	if erasure.CleanPaste(b.Value) == "" {
		return id, erasure.Errorf(erasure.CodeInvalid, "Give identify_by_value.")
	}
	id = erasure.Identifier{Table: erasure.User, Key: b.Key, Value: b.Value}
	if ours, ok := keys[b.Key]; ok {
		id.Key = ours
	}
	err = erasure.CheckIdentifier(id)
	if erasure.CheckKeyName(id.Key) != nil || err != nil && id.Key == erasure.KeyEffaceID {
		return id, errNobody
	}
	return id, err
}

// Refuse answers an error in CustomerLabs' form. known is false where the
// error says nothing to the client and belongs in the log, beside reference.
func Refuse(w http.ResponseWriter, err error, reference string) (known bool) {
	switch erasure.CodeOf(err) {
	case erasure.CodeUnauthorized, erasure.CodeForbidden:
		write(w, http.StatusForbidden, forbidden)
		return true
	case erasure.CodeNotFound, erasure.CodeNotPending:
		write(w, http.StatusOK, noRecord)
		return true
	case erasure.CodeTooLate:
		write(w, http.StatusOK, tooLate)
		return true
	}
	status, sentence, known := wire.Classify(err)
	if e, ok := errors.AsType[*erasure.Error](err); ok && e.Code == erasure.CodeShared {
		sentence = "This value leads to several users; ask for one of them by its customerlabs_user_id."
	}
	if !known {
		sentence += " Reference: " + reference
	}
	write(w, status, refusal(sentence))
	return known
}

func refusal(sentence string) []byte {
	b, err := jsontext.AppendQuote([]byte(`{"success": false, "message": `), sentence)
	if err != nil { // a sentence of our own is UTF-8
		panic(err)
	}
	return append(b, '}')
}

func write(w http.ResponseWriter, status int, answer []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(answer) // a failed write means that the client went away
}

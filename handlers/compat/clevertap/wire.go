package clevertap

import (
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

var success = []byte(`{"status":"success"}`)

// errConcurrent has CleverTap's own words.
var errConcurrent = &wire.Fault{Status: http.StatusTooManyRequests, Sentence: "Too many concurrent requests"}

// atMost is how many profiles a call may name.
const atMost = 100

// body is what the route is sent: one of the two, each a string or an array of
// strings.
type body struct {
	Identity jsontext.Value `json:"identity"`
	GUID     jsontext.Value `json:"guid"`
}

var contract = erasure.JSONContract{Members: erasure.Members{"identity": nil, "guid": nil}}

// readIdentifiers reads whom a body is about: nobody, where its array is empty.
func readIdentifiers(text []byte) ([]erasure.Identifier, error) {
	var b body
	if err := wire.Decode(text, &b, contract); err != nil {
		return nil, err
	}
	switch {
	case b.Identity != nil && b.GUID != nil:
		return nil, erasure.Errorf(erasure.CodeInvalid, "Give identity or guid, not both.")
	case b.Identity != nil:
		return identifiers(b.Identity, "identity", erasure.KeyUserID)
	case b.GUID != nil:
		return identifiers(b.GUID, "guid", erasure.KeyCleverTapID)
	}
	return nil, erasure.Errorf(erasure.CodeInvalid, "Give identity or guid.")
}

// identifiers reads the member of this name, whose values are Efface's of key.
func identifiers(given jsontext.Value, name, key string) ([]erasure.Identifier, error) {
	values := make([]string, 1)
	var err error
	if given.Kind() == '[' {
		err = json.Unmarshal(given, &values)
	} else {
		err = json.Unmarshal(given, &values[0])
	}
	if err != nil {
		return nil, erasure.Errorf(erasure.CodeInvalid, "Give %s as a string or as an array of strings.", name)
	}
	if len(values) > atMost {
		return nil, erasure.Errorf(erasure.CodeInvalid, "Give %d at most in one call; %s has %d.", atMost, name, len(values))
	}
	ids := make([]erasure.Identifier, len(values))
	for i, value := range values {
		ids[i] = erasure.Identifier{Table: erasure.User, Key: key, Value: value}
		if erasure.CheckIdentifier(ids[i]) != nil { // null too, which was read as ""
			return nil, erasure.Errorf(erasure.CodeInvalid, "Give each %s as visible text of %d bytes at most; number %d is not.",
				name, erasure.ValueLength, i+1)
		}
	}
	return ids, nil
}

// Refuse answers an error in CleverTap's form. known is false where the error
// says nothing to the client and belongs in the log, beside reference.
func Refuse(w http.ResponseWriter, err error, reference string) (known bool) {
	status, sentence, known := wire.Classify(err)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		status, sentence = http.StatusUnauthorized, "Invalid Credentials"
	case !known:
		sentence += " Reference: " + reference
	}
	write(w, status, refusal(status, sentence))
	return known
}

func refusal(status int, sentence string) []byte {
	b, err := jsontext.AppendQuote([]byte(`{"status":"fail","error":`), sentence)
	if err != nil { // a sentence of our own is UTF-8
		panic(err)
	}
	return fmt.Appendf(b, `,"code":%d}`, status)
}

func write(w http.ResponseWriter, status int, answer []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(answer) // a failed write means that the client went away
}

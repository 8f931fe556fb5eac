package handlers

import (
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// problem is an error in the form of RFC 9457. Reference stands in the
// server's log too.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Member    string `json:"member,omitzero"`  // of the body or query that it is about
	Matches   int    `json:"matches,omitzero"` // how many profiles a shared identifier leads to
	Reference string `json:"reference"`
}

// refuseAPI answers an error of Efface's own API.
func refuseAPI(w http.ResponseWriter, err error, reference string) (known bool) {
	status, sentence, known := wire.Classify(err)
	p := problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: sentence, Reference: reference}
	if e, ok := errors.AsType[*erasure.Error](err); ok {
		p.Member, p.Matches = e.Field, e.Matches
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="Efface"`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// A failed write means that the client went away.
	_ = json.MarshalWrite(w, p)
	return known
}

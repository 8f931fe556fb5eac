package lytics

import (
	"cmp"
	"net/http"
	"net/url"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// caller is who sent a call that its key lets in.
type caller struct {
	actor erasure.Actor
	query url.Values
	leave func()
}

// enter checks the key before anything else of a call, so that nobody without
// one learns what it would have done.
func (h *Handler) enter(r *http.Request) (c caller, err error) {
	query, unreadable := url.ParseQuery(r.URL.RawQuery)
	key, err := wire.Key(r.Context(), h.db, token(r, query), erasure.ScopeLytics)
	if err != nil {
		return c, err
	}
	if unreadable != nil {
		return c, erasure.Errorf(erasure.CodeInvalid, "Mend the query: it cannot be read.")
	}
	leave, err := h.limiter.Enter(key.ID)
	return caller{wire.Actor(key), query, leave}, err
}

// token reads the key from the header, with or without the word Bearer, or
// from the query. Where it is given in two ways that differ there is none, as
// two readers could choose different ones.
func token(r *http.Request, query url.Values) string {
	inHeader, inQuery := cmp.Or(wire.Bearer(r), wire.Header(r, "Authorization")), query["key"]
	switch {
	case len(inQuery) == 0:
		return inHeader
	case len(inQuery) > 1, r.Header.Values("Authorization") != nil && inHeader != inQuery[0]:
		return ""
	}
	return inQuery[0]
}

// parameter reads a parameter of the query that may be given once.
func (c caller) parameter(name, otherwise string) (string, error) {
	switch given := c.query[name]; len(given) {
	case 0:
		return otherwise, nil
	case 1:
		return given[0], nil
	}
	return "", erasure.Errorf(erasure.CodeInvalid, "Give %s once.", name)
}

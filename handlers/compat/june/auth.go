package june

import (
	"net/http"
	"slices"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// enter reads the key before anything else of the request, so that nobody
// without one learns what the rest would have done, and counts the request
// until leave is called.
func (h *Handler) enter(r *http.Request) (key erasure.APIKey, leave func(), err error) {
	if key, err = wire.Key(r.Context(), h.db, token(r), erasure.ScopeJune); err != nil {
		return key, nil, err
	}
	leave, err = h.limiter.Enter(key.ID)
	return key, leave, err
}

// token reads the key of [wire.BasicUser]. June's own prose spells the header
// with an s. Sent twice, in whichever spelling, it is no key: two readers could
// choose different ones.
func token(r *http.Request) string {
	given := slices.Concat(r.Header.Values("Authorization"), r.Header.Values("Authorisation"))
	if len(given) != 1 {
		return ""
	}
	return wire.BasicUser(given[0])
}

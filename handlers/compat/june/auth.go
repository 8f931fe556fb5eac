package june

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

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

// token reads "Basic KEY", where KEY may stand in base64, alone or with the
// colon of a user name without a password. June's own prose spells the header
// with an s. Sent twice, in whichever spelling, it is no key: two readers could
// choose different ones.
func token(r *http.Request) string {
	given := slices.Concat(r.Header.Values("Authorization"), r.Header.Values("Authorisation"))
	if len(given) != 1 {
		return ""
	}
	scheme, key, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Basic") {
		return ""
	}
	key = strings.TrimSpace(key)
	// A raw key is no base64: its prefix holds a sign that base64 has not.
	if decoded, err := base64.StdEncoding.DecodeString(key); err == nil {
		return strings.TrimSuffix(string(decoded), ":")
	}
	return key
}

package customerlabs

import (
	"net/http"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// keyHeader carries the API key.
const keyHeader = "X-API-Key"

func (h *Handler) key(r *http.Request) (erasure.APIKey, error) {
	return wire.Key(r.Context(), h.db, wire.Header(r, keyHeader), erasure.ScopeCustomerLabs)
}

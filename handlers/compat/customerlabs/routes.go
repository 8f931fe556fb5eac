package customerlabs

import (
	"net/http"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// API is what the handler serves.
func (h *Handler) API() wire.API {
	nobody := []wire.Example{{Body: `{"identify_by_key":"email","identify_by_value":"nobody@example.invalid"}`, Answers: "No delete record found for this query"}}
	return wire.API{
		Name: "CustomerLabs",
		Key:  func(_, token string) []string { return []string{keyHeader + ": " + token} },
		Routes: []wire.Route{
			{Method: http.MethodPost, Path: "/user-deletion/{$}", Scope: erasure.ScopeCustomerLabs, Body: wire.BodyLimit,
				Does: "Request the erasure of a user.", Examples: nobody, Handle: h.Request},
			{Method: http.MethodPost, Path: "/user-deletion/cancel-request/{$}", Scope: erasure.ScopeCustomerLabs, Body: wire.BodyLimit,
				Does: "Cancel a request that is pending.", Examples: nobody, Handle: h.Cancel},
		},
	}
}

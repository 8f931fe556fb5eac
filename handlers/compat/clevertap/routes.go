package clevertap

import (
	"net/http"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// API is what the handler serves.
func (h *Handler) API() wire.API {
	return wire.API{
		Name: "CleverTap",
		Key: func(account, token string) []string {
			return []string{accountHeader + ": " + account, passcodeHeader + ": " + token}
		},
		Routes: []wire.Route{{
			Method: http.MethodPost, Path: "/1/delete/profiles.json", Scope: erasure.ScopeCleverTap, Body: wire.BodyLimit,
			Does: "Request the erasure of up to 100 users, by identity or by guid. One whom nobody knows yet is waited for.",
			Examples: []wire.Example{
				{Body: `{"identity":[]}`, Answers: `{"status":"success"}`},
				{Body: `{"identity":["nobody-1","nobody-2"]}`},
				{Body: `{"guid":"nobody-3"}`},
			},
			Handle: h.Request,
		}},
	}
}

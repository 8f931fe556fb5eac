package june

import (
	"net/http"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

const base = "/api/platform/data_management/"

// API is what the handler serves.
func (h *Handler) API() wire.API {
	return wire.API{
		Name: "June",
		Key:  func(_, token string) []string { return []string{"Authorization: Basic " + token} },
		Routes: []wire.Route{
			{Method: http.MethodPost, Path: base + "user_deletion_request", Scope: erasure.ScopeJune, Body: wire.BodyLimit,
				Does:     "Request the erasure of a user, who may not be collected again. One whom nobody knows yet is waited for.",
				Examples: []wire.Example{{Body: `{"user_id":"nobody-4"}`}}, Handle: h.RequestUser},
			{Method: http.MethodGet, Path: base + "user_deletion_requests", Scope: erasure.ScopeJune,
				Does:     "List the requests for users, 50 on a page, newest first.",
				Examples: []wire.Example{{Path: base + "user_deletion_requests?state=finished&page=1", Answers: `{"status":200,"success":true,"page":1,`}},
				Handle:   h.ListUsers},
			{Method: http.MethodPost, Path: base + "group_deletion_request", Scope: erasure.ScopeJune, Body: wire.BodyLimit,
				Does:     "Request the erasure of a group, which may not be collected again. Its members stay.",
				Examples: []wire.Example{{Body: `{"group_id":"nobody-5"}`}}, Handle: h.RequestGroup},
			{Method: http.MethodGet, Path: base + "group_deletion_requests", Scope: erasure.ScopeJune,
				Does:     "List the requests for groups, 50 on a page, newest first.",
				Examples: []wire.Example{{Path: base + "group_deletion_requests?state=started", Answers: `{"status":200,"success":true,"page":1,`}},
				Handle:   h.ListGroups},
			{Method: http.MethodPost, Path: "/sdk/user_deletion_request", Scope: erasure.ScopeJune, Body: wire.BodyLimit,
				Does:     "The first, at the path that June had before.",
				Examples: []wire.Example{{Body: `{"user_id":"nobody-4"}`}}, Handle: h.RequestUser},
		},
	}
}

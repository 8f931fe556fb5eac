package lytics

import (
	"net/http"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// API is what the handler serves.
func (h *Handler) API() wire.API {
	return wire.API{
		Name:   "Lytics",
		Key:    func(_, token string) []string { return []string{"Authorization: " + token} },
		Routes: append(h.requestRoutes(), h.statusRoutes()...),
	}
}

// nobody is an example of a call that leads nowhere.
func nobody(path string) []wire.Example {
	return []wire.Example{{Path: path, Answers: store.ErrNobody.Sentence}}
}

func (h *Handler) requestRoutes() []wire.Route {
	return []wire.Route{
		{Method: http.MethodDelete, Path: "/v2/identity/{table}/{field}/{value}", Scope: erasure.ScopeLytics,
			Does:     "Request the erasure of everyone whom an identifier leads to. The table is user or group.",
			Examples: nobody("/v2/identity/user/email/nobody%40example.invalid"), Handle: h.Request},
		{Method: http.MethodPost, Path: "/v2/identity/delete", Scope: erasure.ScopeLytics, Body: wire.BodyLimit,
			Does: "Request the erasure of everyone whom up to 10,000 identifiers lead to, as one batch.",
			Examples: []wire.Example{
				{Body: `{"table":"user","field":"email","values":["nobody@example.invalid"]}`},
				{Body: `{"identities":[{"table":"user","field":"email","value":"nobody@example.invalid"}]}`},
			}, Handle: h.RequestBatch},
		{Method: http.MethodDelete, Path: "/v2/identity/queue/bulk/{table}/{field}", Scope: erasure.ScopeLytics, Body: wire.BodyLimit,
			Does:     "The same for values of one field, answered with a request id for each.",
			Examples: []wire.Example{{Path: "/v2/identity/queue/bulk/user/email", Body: `{"values":["nobody@example.invalid"]}`}}, Handle: h.Queue},
		{Method: http.MethodDelete, Path: "/api/entity/{table}/{field}/{value}", Scope: erasure.ScopeLytics,
			Does:     "Version 1 of the first: request the erasure of everyone whom an identifier leads to.",
			Examples: nobody("/api/entity/user/email/nobody%40example.invalid"), Handle: h.RequestV1},
	}
}

func (h *Handler) statusRoutes() []wire.Route {
	const none = "er_00000000000000000000000000"
	one := func(path string) []wire.Example { return []wire.Example{{Path: path + none}} }
	return []wire.Route{
		{Method: http.MethodGet, Path: "/v2/identity/delete/status", Scope: erasure.ScopeLytics,
			Does:     "List where requests and batches stand, newest first.",
			Examples: []wire.Example{{Path: "/v2/identity/delete/status?limit=10", Answers: `"status":200`}}, Handle: h.List},
		{Method: http.MethodGet, Path: "/v2/identity/delete/status/{id}", Scope: erasure.ScopeLytics,
			Does: "Tell where a request or a batch stands.", Examples: one("/v2/identity/delete/status/"), Handle: h.Status},
		{Method: http.MethodGet, Path: "/v2/identity/deletestatus/{id}", Scope: erasure.ScopeLytics,
			Does: "The same in the words of the request's own answer.", Examples: one("/v2/identity/deletestatus/"), Handle: h.DeleteStatus},
		{Method: http.MethodGet, Path: "/v2/identity/deletestatus/list", Scope: erasure.ScopeLytics,
			Does:     "The list in those words.",
			Examples: []wire.Example{{Path: "/v2/identity/deletestatus/list?limit=10", Answers: `"status":200`}}, Handle: h.ListDeletions},
		{Method: http.MethodGet, Path: "/v2/identity/deletestatus/overview", Scope: erasure.ScopeLytics,
			Does: "Count the requests in each state.", Examples: []wire.Example{{Answers: `"status":200`}}, Handle: h.Overview},
		{Method: http.MethodGet, Path: "/api/entity/deletestatus/{id}", Scope: erasure.ScopeLytics,
			Does: "Version 1: tell whether a request or a batch is done.", Examples: one("/api/entity/deletestatus/"), Handle: h.StatusV1},
	}
}

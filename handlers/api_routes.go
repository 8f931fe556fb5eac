package handlers

import (
	"net/http"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// ownAPI is Efface's own. What its routes do is said in the words of
// openapi.json.
func (s *Server) ownAPI() wire.API {
	const (
		nobody  = `{"key":"email","value":"nobody@example.invalid"}`
		unknown = "er_00000000000000000000000000"
		noBatch = "/api/v1/batches/eb_00000000000000000000000000"
	)
	return wire.API{
		Name: "Efface",
		Key:  func(_, token string) []string { return []string{"Authorization: Bearer " + token} },
		Routes: []wire.Route{
			{Method: http.MethodPost, Path: "/api/v1/profiles/find", Scope: erasure.ScopeProfilesRead, Body: wire.BodyLimit,
				Does:     "Find profiles by an identifier.",
				Examples: []wire.Example{{Body: nobody, Answers: `{"profiles":[]}`}}, Handle: s.keyed(s.findProfiles)},
			{Method: http.MethodGet, Path: "/api/v1/deletions", Scope: erasure.ScopeDeletionsRead,
				Does:     "List deletion requests, newest first, 50 a page.",
				Examples: []wire.Example{{Path: "/api/v1/deletions?state=pending", Answers: `{"deletions":[`}}, Handle: s.keyed(s.listDeletions)},
			{Method: http.MethodPost, Path: "/api/v1/deletions", Scope: erasure.ScopeDeletionsWrite, Body: wire.BodyLimit,
				Does:     "Request the erasure of one profile.",
				Examples: []wire.Example{{Body: nobody, Answers: "Nobody has exactly this identifier."}}, Handle: s.keyed(s.createDeletion)},
			{Method: http.MethodPost, Path: "/api/v1/deletions/batch", Scope: erasure.ScopeDeletionsWrite, Body: erasure.BulkSize,
				Does:     "Request the erasure of everyone on a list.",
				Examples: []wire.Example{{Body: "[" + nobody + "]"}}, Handle: s.keyed(s.createBatch)},
			{Method: http.MethodGet, Path: "/api/v1/deletions/{id}", Scope: erasure.ScopeDeletionsRead,
				Does:     "Read a deletion request.",
				Examples: []wire.Example{{Path: "/api/v1/deletions/" + unknown}}, Handle: s.keyed(s.readDeletion)},
			{Method: http.MethodPost, Path: "/api/v1/deletions/{id}/cancel", Scope: erasure.ScopeDeletionsWrite, Body: wire.BodyLimit,
				Does:     "Cancel a pending deletion request.",
				Examples: []wire.Example{{Path: "/api/v1/deletions/" + unknown + "/cancel"}}, Handle: s.keyed(s.cancelDeletion)},
			{Method: http.MethodGet, Path: "/api/v1/deletions/{id}/receipt", Scope: erasure.ScopeDeletionsRead,
				Does:     "Read the receipt of a completed deletion.",
				Examples: []wire.Example{{Path: "/api/v1/deletions/" + unknown + "/receipt"}}, Handle: s.keyed(s.readReceipt)},
			{Method: http.MethodPost, Path: "/api/v1/suppressions/check", Scope: erasure.ScopeProfilesRead, Body: wire.BodyLimit,
				Does:     "Ask which identifiers may not be collected.",
				Examples: []wire.Example{{Body: `{"identifiers":[` + nobody + `]}`, Answers: `"suppressed":false`}}, Handle: s.keyed(s.checkSuppressions)},
			{Method: http.MethodGet, Path: "/api/v1/batches/{id}", Scope: erasure.ScopeDeletionsRead,
				Does:     "Read a batch.",
				Examples: []wire.Example{{Path: noBatch}}, Handle: s.keyed(s.readBatch)},
			{Method: http.MethodPost, Path: "/api/v1/batches/{id}/cancel", Scope: erasure.ScopeDeletionsWrite, Body: wire.BodyLimit,
				Does:     "Cancel what is pending of a batch.",
				Examples: []wire.Example{{Path: noBatch + "/cancel"}}, Handle: s.keyed(s.cancelBatch)},
		},
	}
}

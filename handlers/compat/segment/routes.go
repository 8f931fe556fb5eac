package segment

import (
	"net/http"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// kinds are the calls that have a path of their own.
var kinds = []struct {
	kind    ingest.Kind
	june    bool // June has it too
	does    string
	example string
}{
	{ingest.Identify, true, "Tell who somebody is: identifiers and traits.",
		`{"userId":"nobody-6","traits":{"email":"nobody-6@example.com"}}`},
	{ingest.Track, true, "Tell what somebody did.", `{"anonymousId":"nobody-7","event":"Cart viewed"}`},
	{ingest.Group, true, "Tell which account somebody belongs to, and its traits.", `{"userId":"nobody-6","groupId":"nobody-8"}`},
	{ingest.Alias, false, "Tell that two ids are one person's.", `{"userId":"nobody-6","previousId":"nobody-7"}`},
	{ingest.Page, false, "Tell which page of a site somebody saw.", `{"anonymousId":"nobody-7","name":"Home"}`},
	{ingest.Screen, false, "Tell which screen of an app somebody saw.", `{"anonymousId":"nobody-7","name":"Home"}`},
}

// API is what the handler serves.
func (h *Handler) API() wire.API {
	return wire.API{
		Name:   "Segment-spec ingest",
		Key:    func(_, token string) []string { return []string{"Authorization: Basic " + token} },
		Routes: append(h.routes("/v1/", "", false), h.routes("/sdk/", " As June's SDKs send it.", true)...),
	}
}

func (h *Handler) routes(base, as string, june bool) (all []wire.Route) {
	for _, k := range kinds {
		if june && !k.june {
			continue
		}
		all = append(all, wire.Route{Method: http.MethodPost, Path: base + string(k.kind), Scope: erasure.ScopeIngest, Body: ingest.EventSize,
			Does: k.does + as, Examples: []wire.Example{{Body: k.example}}, Handle: h.Call(k.kind)})
	}
	return append(all, wire.Route{Method: http.MethodPost, Path: base + "batch", Scope: erasure.ScopeIngest, Body: ingest.BatchSize,
		Does: "Tell up to 2,500 of these at once." + as,
		Examples: []wire.Example{
			{Body: `{"batch":[{"type":"track","userId":"nobody-6","event":"Cart viewed","messageId":"m-1"}]}`},
			{Body: `{"batch":[]}`, Answers: `{"success": true}`},
		}, Handle: h.Batch})
}

package handlers

import (
	"encoding/base64"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// permitted says who may as the specification has it, apart from the table,
// by the longest beginning of the path. A route that fits none fails the test.
var permitted = map[string][]erasure.Role{
	"/{$}":              {erasure.Admin, erasure.Staff, erasure.Auditor},
	"/login":            nil,
	"/link/":            nil,
	"/static/":          nil,
	"/healthz":          nil,
	"/readyz":           nil,
	"/logout":           {erasure.Admin, erasure.Staff, erasure.Auditor},
	"/account":          {erasure.Admin, erasure.Staff, erasure.Auditor},
	"/find":             {erasure.Admin, erasure.Staff},
	"/profiles/":        {erasure.Admin, erasure.Staff},
	"/requests/{id}":    {erasure.Admin, erasure.Staff, erasure.Auditor},
	"/requests/{id}/c":  {erasure.Admin, erasure.Staff},
	"/bulk":             {erasure.Admin, erasure.Staff},
	"/logs":             {erasure.Admin, erasure.Staff, erasure.Auditor},
	"/logs/entries/":    {erasure.Admin, erasure.Auditor},
	"/logs/export":      {erasure.Admin, erasure.Auditor},
	"/suppressions":     {erasure.Admin, erasure.Staff, erasure.Auditor},
	"/suppressions/":    {erasure.Admin, erasure.Staff},
	"/activity":         {erasure.Admin, erasure.Auditor},
	"/status":           {erasure.Admin, erasure.Staff, erasure.Auditor},
	"/verify.py":        {erasure.Admin, erasure.Staff, erasure.Auditor},
	"/evidence.md":      {erasure.Admin, erasure.Staff, erasure.Auditor},
	"/developers":       {erasure.Admin, erasure.Staff, erasure.Auditor},
	"/settings":         {erasure.Admin},
	"/api/openapi.json": nil,
}

// scopes say the same for what scripts may.
var scopes = map[string][]erasure.Scope{
	"/user-deletion/":        {erasure.ScopeCustomerLabs},
	"/api/v1/profiles/find":  {erasure.ScopeProfilesRead},
	"/api/v1/deletions":      {erasure.ScopeDeletionsRead, erasure.ScopeDeletionsWrite},
	"/api/v1/batches":        {erasure.ScopeDeletionsRead, erasure.ScopeDeletionsWrite},
	"/api/v1/suppressions/":  {erasure.ScopeProfilesRead},
	"/v2/identity/":          {erasure.ScopeLytics},
	"/api/entity/":           {erasure.ScopeLytics},
	"/1/delete/":             {erasure.ScopeCleverTap},
	"/api/platform/":         {erasure.ScopeJune},
	"/v1/":                   {erasure.ScopeIngest},
	"/sdk/":                  {erasure.ScopeIngest},
	"/sdk/user_":             {erasure.ScopeJune},
	"/user-deletion/cancel-": {erasure.ScopeCustomerLabs},
}

func longest[V any](m map[string]V, path string) (best string, found bool) {
	for prefix := range m {
		if strings.HasPrefix(path, prefix) && len(prefix) >= len(best) {
			best, found = prefix, true
		}
	}
	return best, found
}

func TestEveryRouteIsForThoseWhomTheSpecificationNames(t *testing.T) {
	for _, rt := range newSite(t).server.table() {
		if rt.may.scope != "" {
			if best, ok := longest(scopes, rt.path); !ok || !slices.Contains(scopes[best], rt.may.scope) || len(rt.may.roles) > 0 {
				t.Errorf("%s is for the scope %s", rt.pattern(), rt.may.scope)
			}
			continue
		}
		if best, ok := longest(permitted, rt.path); !ok || !slices.Equal(permitted[best], rt.may.roles) {
			t.Errorf("%s is for %v, want %v", rt.pattern(), rt.may.roles, permitted[best])
		}
	}
}

func TestTheScopesOfferedAreThoseThatOpenARoute(t *testing.T) {
	opens := map[erasure.Scope]bool{}
	for _, rt := range newSite(t).server.table() {
		if rt.may.scope != "" {
			opens[rt.may.scope] = true
		}
	}
	if offered := slices.Sorted(slices.Values(erasure.Scopes)); !slices.Equal(offered, slices.Sorted(maps.Keys(opens))) {
		t.Errorf("keys are offered for %v, and the routes are for %v", offered, opens)
	}
}

func TestEveryRouteThatTakesABodyLimitsIt(t *testing.T) {
	for _, rt := range newSite(t).server.table() {
		reads := rt.method == http.MethodPost || rt.method == http.MethodPut || rt.method == http.MethodPatch
		if reads != (rt.body > 0) && rt.method != http.MethodDelete {
			t.Errorf("%s takes %d bytes", rt.pattern(), rt.body)
		}
	}
}

var wildcard = regexp.MustCompile(`\{[a-z_]+(\.\.\.)?\}`)

// pathOf fills a route's wildcards with what leads nowhere.
func pathOf(rt route) string {
	return wildcard.ReplaceAllString(strings.ReplaceAll(rt.path, "{$}", ""), uuid.NewString())
}

// keyForms are the ways in which scripts present a key: what follows the path,
// and headers.
var keyForms = map[string]func(token string) (query string, header []string){
	"X-API-Key":     inHeader("X-API-Key", ""),
	"raw":           inHeader("Authorization", ""),
	"Bearer":        inHeader("Authorization", "Bearer "),
	"Basic raw":     inHeader("Authorization", "Basic "),
	"Authorisation": inHeader("Authorisation", "Basic "),
	"Basic": func(k string) (string, []string) {
		return "", []string{"Authorization", "Basic " + basic(k+":")}
	},
	"Authorisation, with a colon": func(k string) (string, []string) {
		return "", []string{"Authorisation", "Basic " + basic(k+":")}
	},
	"Authorisation, alone": func(k string) (string, []string) {
		return "", []string{"Authorisation", "Basic " + basic(k)}
	},
	"Authorization and Authorisation": func(k string) (string, []string) {
		return "", []string{"Authorization", "Basic " + k, "Authorisation", "Basic " + k}
	},
	"Basic alone": func(k string) (string, []string) {
		return "", []string{"Authorization", "Basic " + basic(k)}
	},
	"CleverTap": func(k string) (string, []string) {
		return "", []string{"X-CleverTap-Account-Id", "W1", "X-CleverTap-Passcode", k}
	},
	"query": func(k string) (string, []string) { return "?key=" + k, nil },
}

func inHeader(name, scheme string) func(token string) (query string, header []string) {
	return func(k string) (string, []string) { return "", []string{name, scheme + k} }
}

// opening says by which of them a key of a scope opens its routes, as the
// contracts have it, and by no other.
var opening = map[erasure.Scope][]string{
	erasure.ScopeCustomerLabs:   {"X-API-Key"},
	erasure.ScopeLytics:         {"raw", "Bearer", "query"},
	erasure.ScopeCleverTap:      {"CleverTap"},
	erasure.ScopeJune:           {"Basic raw", "Basic", "Basic alone", "Authorisation", "Authorisation, with a colon", "Authorisation, alone"},
	erasure.ScopeDeletionsWrite: {"Bearer"},
	erasure.ScopeDeletionsRead:  {"Bearer"},
	erasure.ScopeProfilesRead:   {"Bearer"},
	erasure.ScopeIngest:         {"Basic raw", "Basic", "Basic alone", "Authorization and Authorisation"}, // the second is none of its headers
}

func basic(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func (st *site) key(scopes ...erasure.Scope) string {
	st.t.Helper()
	n := store.NewKey{Name: uuid.NewString(), Scopes: scopes}
	if slices.Contains(scopes, erasure.ScopeCleverTap) {
		n.AccountID = "W1"
	}
	token, _, err := st.db.CreateKey(st.t.Context(), erasure.System, n)
	if err != nil {
		st.t.Fatal(err)
	}
	return token
}

func TestEveryRouteByRoleAndWayToAuthenticate(t *testing.T) {
	st := newSite(t)
	people := map[erasure.Role]erasure.Operator{}
	for _, role := range erasure.Roles {
		people[role] = st.invited(string(role)+"@example.com", role)
	}
	st.invited("other@example.com", erasure.Admin)
	keys := map[erasure.Scope]string{}
	for _, scope := range erasure.Scopes {
		keys[scope] = st.key(scope)
	}
	for _, rt := range st.server.table() {
		t.Run(rt.pattern(), func(t *testing.T) {
			check := func(who string, may bool, a reply) {
				t.Helper()
				if opened(a) != may {
					t.Errorf("%s: may is %v, and the answer %d to %q", who, may, a.status, a.location())
				}
			}
			open := len(rt.may.roles) == 0 && rt.may.scope == ""
			check("nobody", open, st.browser().send(rt.method, pathOf(rt), nil))
			check("a made-up session", open, st.browser().send(rt.method, pathOf(rt), nil, "Cookie", "efface="+uuid.NewString()))
			for role, o := range people {
				// A route may end the session, so each has a new one.
				check(string(role), open || rt.may.permits(role), st.browserOf(o).send(rt.method, pathOf(rt), nil))
			}
			for scope, token := range keys {
				for form, present := range keyForms {
					query, header := present(token)
					a := st.browser().send(rt.method, pathOf(rt)+query, nil, header...)
					may := open || scope == rt.may.scope && slices.Contains(opening[scope], form)
					check("a key of "+string(scope)+" as "+form, may, a)
				}
			}
		})
	}
}

// opened reports whether the answer is one of the route's own.
func opened(a reply) bool {
	if a.status == http.StatusSeeOther && a.location() == "/login" {
		return a.header.Get("Set-Cookie") != "" && strings.Contains(a.header.Get("Set-Cookie"), "efface=;") // a sign-out
	}
	return a.status != http.StatusUnauthorized && a.status != http.StatusForbidden
}

package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// document is openapi.json as a tree.
type document map[string]any

func openDocument(t *testing.T, st *site) document {
	t.Helper()
	a := st.browser().get("/api/openapi.json").want(http.StatusOK)
	return document(a.tree())
}

// at follows members, and references on the way.
func (d document) at(v any, path ...string) any {
	for _, name := range append(path, "") {
		m, _ := v.(map[string]any)
		if ref, ok := m["$ref"].(string); ok {
			v = d.at(map[string]any(d), strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			m, _ = v.(map[string]any)
		}
		if name != "" {
			v = m[name]
		}
	}
	return v
}

// operations lists "METHOD /path" of every operation.
func (d document) operations() (all []string) {
	for path, methods := range d["paths"].(map[string]any) {
		for method := range methods.(map[string]any) {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

func TestEveryScriptRouteIsInTheOpenAPIFileAndNoOther(t *testing.T) {
	st := newSite(t)
	var served []string
	for _, rt := range st.server.table() {
		documented := strings.HasPrefix(rt.path, "/api/") && !strings.HasPrefix(rt.path, "/api/platform/") && !strings.HasPrefix(rt.path, "/api/entity/")
		if documented || strings.HasPrefix(rt.path, "/user-deletion/") {
			served = append(served, rt.method+" "+strings.TrimSuffix(rt.path, "{$}"))
		}
	}
	slices.Sort(served)
	d := openDocument(t, st)
	if listed := d.operations(); !slices.Equal(served, listed) {
		t.Errorf("served are\n%s\nlisted are\n%s", strings.Join(served, "\n"), strings.Join(listed, "\n"))
	}
	s := st.script(erasure.ScopeCustomerLabs)
	for _, operation := range d.operations() {
		method, path, _ := strings.Cut(operation, " ")
		a := s.call(method, strings.ReplaceAll(path, "{id}", "x"), "{}")
		if a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed {
			t.Errorf("%s is answered with %d", operation, a.status)
		}
	}
}

func TestTheOpenAPIFileReadsAsTheScopesDo(t *testing.T) {
	st := newSite(t)
	d := openDocument(t, st)
	for _, rt := range st.server.table() {
		if !strings.HasPrefix(rt.path, "/api/v1/") {
			continue
		}
		text, _ := d.at(d["paths"], rt.path, strings.ToLower(rt.method), "description").(string)
		if !strings.Contains(text, string(rt.may.scope)) {
			t.Errorf("%s: %q does not name the scope %s", rt.pattern(), text, rt.may.scope)
		}
	}
}

// misfit says where a value does not fit a schema, by the words that
// openapi.json uses; "" where it fits.
func (d document) misfit(value, schema any, where string) string {
	s, ok := d.at(schema).(map[string]any)
	if !ok {
		return where + ": there is no schema"
	}
	if types := s["type"]; types != nil && !hasType(value, types) {
		return fmt.Sprintf("%s is %v, not %v", where, value, types)
	}
	if enum, ok := s["enum"].([]any); ok && value != nil && !slices.Contains(enum, value) {
		return fmt.Sprintf("%s is %v, not one of %v", where, value, enum)
	}
	switch v := value.(type) {
	case string:
		return misfitText(v, s, where)
	case []any:
		for i, item := range v {
			if wrong := d.misfit(item, s["items"], fmt.Sprint(where, "/", i)); wrong != "" {
				return wrong
			}
		}
	case map[string]any:
		return d.misfitObject(v, s, where)
	}
	return ""
}

func misfitText(v string, s map[string]any, where string) string {
	if pattern, ok := s["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(v) {
		return where + " does not match " + pattern
	}
	if s["format"] == "date-time" {
		if _, err := time.Parse(time.RFC3339, v); err != nil || !strings.HasSuffix(v, "Z") {
			return where + " is no time in UTC"
		}
	}
	return ""
}

func (d document) misfitObject(v, s map[string]any, where string) string {
	properties, _ := s["properties"].(map[string]any)
	for name, member := range v {
		if properties[name] == nil {
			if s["additionalProperties"] == false {
				return where + "/" + name + " is not in the schema"
			}
			continue
		}
		if wrong := d.misfit(member, properties[name], where+"/"+name); wrong != "" {
			return wrong
		}
	}
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, ok := v[name.(string)]; !ok {
			return where + "/" + name.(string) + " is missing"
		}
	}
	return ""
}

func hasType(value, types any) bool {
	if all, ok := types.([]any); ok {
		return slices.ContainsFunc(all, func(one any) bool { return hasType(value, one) })
	}
	switch v := value.(type) {
	case nil:
		return types == "null"
	case string:
		return types == "string"
	case bool:
		return types == "boolean"
	case float64:
		return types == "number" || types == "integer" && v == float64(int64(v))
	case []any:
		return types == "array"
	}
	return types == "object"
}

// documented checks an answer against what the file says of its operation.
func (d document) documented(a reply, method, template string) {
	a.t.Helper()
	r, ok := d.at(d["paths"], template, strings.ToLower(method), "responses", fmt.Sprint(a.status)).(map[string]any)
	if !ok {
		a.t.Errorf("%s %s: the status %d is not documented", method, template, a.status)
		return
	}
	schema := d.at(r, "content", a.header.Get("Content-Type"), "schema")
	var body any
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		a.t.Errorf("%s %s: %v", method, template, err)
	}
	if wrong := d.misfit(body, schema, ""); wrong != "" {
		a.t.Errorf("%s %s, %d: %s\n%s", method, template, a.status, wrong, a.body)
	}
}

func TestRealAnswersFitTheirSchemas(t *testing.T) {
	st := newSite(t)
	d := openDocument(t, st)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com", "user_id", "a-1")
	storetest.Identify(t, st.db, "crm", "user_id", "1", "email", "both@example.com")
	storetest.Identify(t, st.db, "crm", "user_id", "2", "email", "both@example.com")
	full := st.script(append(everyScope, erasure.ScopeCustomerLabs)...)
	finds, reads := st.script(erasure.ScopeProfilesRead), st.script(erasure.ScopeDeletionsRead)
	id := full.call("POST", "/api/v1/deletions", annBody).tree()["id"].(string)
	labs := func(key, value string) string {
		return fmt.Sprintf(`{"identify_by_key":%q,"identify_by_value":%q}`, key, value)
	}
	for _, c := range []struct{ method, template, query, body string }{
		{"GET", "/api/openapi.json", "", ""},
		{"POST", "/api/v1/profiles/find", "", annBody},
		{"POST", "/api/v1/profiles/find", "", `{"key":"email","value":"both@example.com"}`},
		{"POST", "/api/v1/profiles/find", "", `{}`},
		{"POST", "/api/v1/profiles/find", "", `{"key":"e-mail","value":"ann@example.com"}`},
		{"GET", "/api/v1/deletions", "", ""},
		{"GET", "/api/v1/deletions", "?state=x", ""},
		{"POST", "/api/v1/deletions", "", annBody},
		{"POST", "/api/v1/deletions", "", `{"key":"email","value":"nobody@example.com"}`},
		{"POST", "/api/v1/deletions", "", `{"key":"email","value":"both@example.com"}`},
		{"POST", "/api/v1/deletions", "", `{"key":"email"}`},
		{"POST", "/api/v1/deletions", "", `{"key":"e-mail","value":"ann@example.com"}`},
		{"POST", "/api/v1/deletions", "", strings.Repeat(" ", 1<<20+1)},
		{"GET", "/api/v1/deletions/{id}", "", ""},
		{"GET", "/api/v1/deletions/{id}/receipt", "", ""},
		{"POST", "/api/v1/deletions/{id}/cancel", "", `{"x":1}`},
		{"POST", "/api/v1/deletions/{id}/cancel", "", ""},
		{"POST", "/api/v1/deletions/{id}/cancel", "", ""},
		{"POST", "/user-deletion/", "", labs("email", "ann@example.com")},
		{"POST", "/user-deletion/", "", labs("email", "nobody@example.com")},
		{"POST", "/user-deletion/", "", labs("email", "both@example.com")},
		{"POST", "/user-deletion/", "", labs("", "")},
		{"POST", "/user-deletion/cancel-request/", "", labs("email", "ann@example.com")},
		{"POST", "/user-deletion/cancel-request/", "", labs("email", "ann@example.com")},
	} {
		path := strings.ReplaceAll(c.template, "{id}", id) + c.query
		for _, s := range []script{finds, reads, full} {
			d.documented(s.call(c.method, path, c.body, "X-API-Key", s.token), c.method, c.template)
		}
	}
}

package handlers

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// A request is one, whichever door it came by, is seen by or is cancelled by.
func TestARequestIsOneStoryOverAllDoors(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "shop", "user_id", "u-1", "email", "ann@example.com")
	ann := storetest.One(t, st.db, "user_id", "u-1")
	door := st.doors()
	const ask, list = "/1/delete/profiles.json", "/api/platform/data_management/user_deletion_requests"

	door("clevertap", "POST", ask, `{"identity":"u-1"}`)
	listed := door("june", "GET", list, "")["requests"].([]any)
	if len(listed) != 1 || listed[0].(map[string]any)["user_id"] != "u-1" || listed[0].(map[string]any)["state"] != "requested" {
		t.Fatalf("June's list has %v", listed)
	}
	id := listed[0].(map[string]any)["id"].(string)
	if data := door("lytics", "GET", "/v2/identity/delete/status/"+id, "")["data"].(map[string]any); data["status"] != "pending" {
		t.Errorf("Lytics says %v", data)
	}
	if made := door("june", "POST", strings.TrimSuffix(list, "s"), `{"user_id":"u-1"}`)["request"].(map[string]any); made["id"] != id {
		t.Errorf("June asks for %v, not %s", made, id)
	}
	d := door("api", "GET", "/api/v1/deletions/"+id, "")
	if d["origin"] != "clevertap" || d["requested_by"] != "key:clevertap" || d["efface_id"] != ann.EffaceID.String() || d["suppress"] != true {
		t.Errorf("the API says %v", d)
	}
	if page := st.signedIn(erasure.Staff).get("/logs?q=" + id).want(http.StatusOK).find("tbody").Text(); !strings.Contains(page, "Pending") || !strings.Contains(page, "CleverTap") {
		t.Errorf("the Deletion Logs say %q", page)
	}
	if a := door("customerlabs", "POST", "/user-deletion/cancel-request/", `{"identify_by_key":"email","identify_by_value":"ann@example.com"}`); a["success"] != true {
		t.Errorf("the cancel answers %v", a)
	}
	if d := door("api", "GET", "/api/v1/deletions/"+id, ""); d["state"] != "cancelled" {
		t.Errorf("the API says %v", d)
	}
	if listed := door("june", "GET", list, "")["requests"].([]any); len(listed) != 0 {
		t.Errorf("June's list has %v", listed)
	}
	want := []string{
		"key:clevertap request.created clevertap",
		"key:june profile.viewed ",
		"key:june request.suppression_added june",
		"key:customerlabs request.cancelled customerlabs",
	}
	if got := st.story(id, ann); !slices.Equal(got, want) {
		t.Errorf("the log tells\n%s\nand not\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// doors makes a key for each API, named after it, and returns what calls it and
// reads its answer.
func (st *site) doors() func(api, method, path, body string) map[string]any {
	st.t.Helper()
	keys := map[string]string{}
	for name, scopes := range map[string][]erasure.Scope{
		"clevertap": {erasure.ScopeCleverTap}, "june": {erasure.ScopeJune}, "lytics": {erasure.ScopeLytics},
		"customerlabs": {erasure.ScopeCustomerLabs}, "api": everyScope,
	} {
		n := store.NewKey{Name: name, Scopes: scopes}
		if name == "clevertap" {
			n.AccountID = "W1"
		}
		token, _, err := st.db.CreateKey(st.t.Context(), erasure.System, n)
		if err != nil {
			st.t.Fatal(err)
		}
		keys[name] = token
	}
	b := st.browser()
	return func(api, method, path, body string) map[string]any {
		st.t.Helper()
		header := map[string][]string{
			"clevertap":    {"X-CleverTap-Account-Id", "W1", "X-CleverTap-Passcode", keys[api]},
			"june":         {"Authorization", "Basic " + keys[api]},
			"lytics":       {"Authorization", keys[api]},
			"customerlabs": {"X-API-Key", keys[api]},
			"api":          {"Authorization", "Bearer " + keys[api]},
		}[api]
		return b.send(method, path, strings.NewReader(body), header...).want(http.StatusOK).tree()
	}
}

// story reads what the log tells of a request, oldest first: who, what and by
// which door. All of it is about one person.
func (st *site) story(id string, about erasure.Profile) (told []string) {
	st.t.Helper()
	entries, _, err := st.db.Activity(st.t.Context(), "", 50)
	if err != nil {
		st.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Request == nil || e.Request.String() != id {
			continue
		}
		if e.EffaceID == nil || *e.EffaceID != about.EffaceID {
			st.t.Errorf("%s is about %v, not %s", e.Kind, e.EffaceID, about.EffaceID)
		}
		told = append(told, fmt.Sprint(e.Actor, " ", e.Kind, " ", e.Origin))
	}
	slices.Reverse(told)
	return told
}

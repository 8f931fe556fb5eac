package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// Whatever an SDK sends is text on every page that shows it, and moves nothing.
func TestWhatAnSDKSendsIsShownAsText(t *testing.T) {
	st := newSite(t)
	key, staff := st.key(erasure.ScopeIngest), st.signedIn(erasure.Staff)
	for i, value := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onload='alert(1)`, `</text></svg><script>alert(1)</script>`, `&lt;b&gt;`, `javascript:alert(1)`,
		"\u202eevil\u202c", "👩‍👩‍👧‍👦", "مرحبا <b>", strings.Repeat("long", 250), "{{.}} ${1} %s", "a\r\nSet-Cookie: b=c",
	} {
		id := fmt.Sprintf("hostile-%d", i)
		call, err := json.Marshal(map[string]any{
			"userId": id, "anonymousId": value, "traits": map[string]any{"email": value, value: value, "nested": map[string]string{value: value}},
			"context": map[string]any{"externalIds": []map[string]string{{"id": value, "type": "crm_id"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		st.browser().send("POST", "/v1/identify", strings.NewReader(string(call)), "Authorization", "Basic "+key).want(http.StatusOK)
		p := storetest.One(t, st.db, "anonymous_id", value)
		path := profilePath(p.EffaceID)
		if got := staff.post("/find", asking("anonymous_id", value)).want(http.StatusSeeOther).location(); got != path {
			t.Errorf("%q leads to %s", value, got)
		}
		for _, page := range []string{path, path + "/delete"} {
			a := staff.get(page).want(http.StatusOK)
			if found := a.find("main script, main img, main b, [onerror], [onload], [onclick], a[href^='javascript']"); found.Length() > 0 {
				t.Errorf("%s holds what %q says", page, value)
			}
			if len(a.header.Values("Set-Cookie")) > 0 {
				t.Errorf("%q sets a cookie", value)
			}
		}
		shown := strings.ReplaceAll(staff.get(path).find("main").Text(), "\r\n", "\n")
		if !strings.Contains(shown, strings.ReplaceAll(value, "\r\n", "\n")) {
			t.Errorf("%q is not shown as it is", value)
		}
	}
}

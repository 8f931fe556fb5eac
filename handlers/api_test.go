package handlers

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// script is a client of the API with a key of its own.
type script struct {
	*browser
	token string
}

func (st *site) script(scopes ...erasure.Scope) script {
	return script{st.browser(), st.key(scopes...)}
}

func (s script) call(method, path, body string, header ...string) reply {
	s.t.Helper()
	return s.send(method, path, strings.NewReader(body), append([]string{"Authorization", "Bearer " + s.token}, header...)...)
}

// tree reads an answer's JSON.
func (a reply) tree() map[string]any {
	a.t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Errorf("no JSON: %v\n%s", err, a.body)
	}
	return v
}

// problem expects an error in the form of RFC 9457.
func (a reply) problem(status int) reply {
	a.t.Helper()
	a.want(status)
	if p := a.tree(); a.header.Get("Content-Type") != "application/problem+json" || p["status"] != float64(status) || p["detail"] == "" {
		a.t.Errorf("it is no problem:\n%s", a.body)
	}
	return a
}

var everyScope = []erasure.Scope{erasure.ScopeProfilesRead, erasure.ScopeDeletionsRead, erasure.ScopeDeletionsWrite}

const annBody = `{"key":"email","value":"ann@example.com"}`

func TestEveryMatchThatAScriptIsShownIsALook(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "both@example.com", "user_id", "a-1")
	storetest.Identify(t, st.db, "crm", "email", "both@example.com", "user_id", "a-2")
	s := st.script(erasure.ScopeProfilesRead)
	found := s.call("POST", "/api/v1/profiles/find", `{"key":"email","value":"both@example.com"}`).want(http.StatusOK).tree()["profiles"].([]any)
	if n := st.entries(erasure.ProfileViewed); n != 2 || len(found) != 2 {
		t.Errorf("%d profiles are found, %d looks logged", len(found), n)
	}
}

func TestAScriptFindsRequestsReadsAndCancels(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com", "user_id", "a-1")
	storetest.Identify(t, st.db, "shop", "email", "Ann@example.com")
	s := st.script(everyScope...)

	found := s.call("POST", "/api/v1/profiles/find", `{"key":"email","value":"ANN@example.com"}`).want(http.StatusOK).tree()["profiles"].([]any)
	if len(found) != 1 {
		t.Fatalf("%d profiles are found", len(found))
	}
	ann := found[0].(map[string]any)
	if ann["table"] != "user" || len(ann["identifiers"].([]any)) != 3 || ann["open_request"] != nil {
		t.Errorf("the profile is %v", ann)
	}
	if log, _, err := st.db.Activity(t.Context(), "", 1); err != nil || log[0].Kind != erasure.ProfileViewed {
		t.Errorf("the look is not logged: %v, %v", log, err)
	}
	if a := s.call("POST", "/api/v1/profiles/find", `{"key":"email","value":"nobody@example.com"}`).want(http.StatusOK); a.body != "{\"profiles\":[]}\n" {
		t.Errorf("nobody is %s", a.body)
	}

	made := s.call("POST", "/api/v1/deletions/", `{"key":"email","value":"ann@example.com","reason":"letter","reference":"T-1","suppress":true}`).want(http.StatusAccepted)
	d := made.tree()
	if made.location() != "/api/v1/deletions/"+d["id"].(string) || d["efface_id"] != ann["efface_id"] || d["state"] != "pending" || d["started_at"] != nil || d["reference"] != "T-1" {
		t.Errorf("the deletion is %s", made.body)
	}
	if again := s.call("POST", "/api/v1/deletions", annBody).want(http.StatusAccepted); again.tree()["id"] != d["id"] {
		t.Errorf("asked again it is another one: %s", again.body)
	}
	if read := s.call("GET", made.location(), "").want(http.StatusOK); read.body != made.body {
		t.Errorf("it reads %s", read.body)
	}
	if cancelled := s.call("POST", made.location()+"/cancel/", "").want(http.StatusOK).tree(); cancelled["state"] != "cancelled" || cancelled["finished_at"] == nil {
		t.Errorf("cancelled it is %v", cancelled)
	}
	s.call("POST", made.location()+"/cancel", "{}").problem(http.StatusConflict)
}

func TestADeletionHasTheMembersOfTheContractInTheirOrder(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(everyScope...)
	body := s.call("POST", "/api/v1/deletions", annBody).want(http.StatusAccepted).body
	d := json.NewDecoder(strings.NewReader(body))
	var names []string
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			break
		}
		if token == json.Delim('{') {
			depth++
		} else if name, ok := token.(string); ok && depth == 1 {
			names = append(names, name)
			var value any
			if err := d.Decode(&value); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := "id efface_id table state origin requested_by requested_at cancel_before started_at finished_at identifiers records attempts last_error batch_id suppress reference checked_at cleared_at from_log"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("the members are\n%s, want\n%s", got, want)
	}
	if !strings.Contains(body, `"cancel_before":"2026-03-02T09:00:00.000Z"`) || !strings.Contains(body, `"requested_by":"key:`) {
		t.Errorf("it is %s", body)
	}
}

func TestADeletionThatCannotBeIsAProblemOfItsOwn(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "user_id", "1", "email", "both@example.com")
	storetest.Identify(t, st.db, "crm", "user_id", "2", "email", "both@example.com")
	s := st.script(everyScope...)
	s.call("POST", "/api/v1/deletions", annBody).problem(http.StatusNotFound)
	if p := s.call("POST", "/api/v1/deletions", `{"key":"email","value":"both@example.com"}`).problem(http.StatusConflict); p.tree()["matches"] != 2.0 {
		t.Errorf("the problem is %s", p.body)
	}
	for _, path := range []string{"/api/v1/deletions/er_00000000000000000000000000", "/api/v1/deletions/x"} {
		s.call("GET", path, "").problem(http.StatusNotFound)
		s.call("POST", path+"/cancel", "").problem(http.StatusNotFound)
	}
}

// A misspelt key would find nobody, which reads as if nothing were left to do.
func TestAKeyThatNobodyHasIsRefusedWithThoseThatThereAre(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com", "loyalty_id", "7")
	s := st.script(everyScope...)
	for _, path := range []string{"/api/v1/deletions", "/api/v1/profiles/find"} {
		p := s.call("POST", path, `{"key":"e-mail","value":"ann@example.com"}`).problem(http.StatusBadRequest).tree()
		want := "Give key as efface_id, user_id, clevertap_id, anonymous_id, email, phone, fbp, ga_client_id or loyalty_id."
		if p["member"] != "key" || p["detail"] != want {
			t.Errorf("%s answers %v", path, p)
		}
		p = s.call("POST", path, `{"table":"group","key":"user_id","value":"1"}`).problem(http.StatusBadRequest).tree()
		if want := "Give key as efface_id, group_id, email or phone."; p["detail"] != want {
			t.Errorf("%s answers %v for a group", path, p)
		}
		if a := s.call("POST", path, `{"key":"loyalty_id","value":"7"}`); a.status > 299 {
			t.Errorf("%s refuses a key that came with data: %s", path, a.body)
		}
	}
}

func TestAnOpenRequestIsReturnedAsItIsButForSuppression(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(everyScope...)
	first := s.call("POST", "/api/v1/deletions", `{"key":"email","value":"ann@example.com","reference":"T-1"}`).want(http.StatusAccepted)
	again := s.call("POST", "/api/v1/deletions", `{"key":"email","value":"ann@example.com","reference":"T-2"}`).want(http.StatusAccepted)
	if again.body != first.body {
		t.Errorf("asked again it is %s, before %s", again.body, first.body)
	}
	again = s.call("POST", "/api/v1/deletions", `{"key":"email","value":"ann@example.com","suppress":true}`).want(http.StatusAccepted)
	if want := strings.Replace(first.body, `"suppress":false`, `"suppress":true`, 1); again.body != want {
		t.Errorf("asked again with suppression it is %s, before %s", again.body, first.body)
	}
}

func TestACancelAfterTheWindowIsAConflict(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(everyScope...)
	path := s.call("POST", "/api/v1/deletions", annBody).location()
	st.clock.Advance(24 * time.Hour)
	if p := s.call("POST", path+"/cancel", "").problem(http.StatusConflict); !strings.Contains(p.body, "window") {
		t.Errorf("the problem is %s", p.body)
	}
}

func TestACallMarkedWithAnIdempotencyKeyIsDoneOnce(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(everyScope...)
	mark := []string{"Idempotency-Key", "ann@example.com"}
	first := s.call("POST", "/api/v1/deletions", annBody, mark...).want(http.StatusAccepted)
	s.call("POST", first.location()+"/cancel", "").want(http.StatusOK)
	again := s.call("POST", "/api/v1/deletions", `{ "value":"ann@example.com", "key":"email" }`, mark...).want(http.StatusAccepted)
	if again.tree()["id"] != first.tree()["id"] || again.tree()["state"] != "cancelled" {
		t.Errorf("sent again it is %s", again.body)
	}
	s.call("POST", "/api/v1/deletions", `{"key":"email","value":"ann@example.com","reference":"T"}`, mark...).problem(http.StatusUnprocessableEntity)
	s.call("POST", first.location()+"/cancel", "", mark...).problem(http.StatusUnprocessableEntity)
	s.call("POST", "/api/v1/deletions", annBody, "Idempotency-Key", strings.Repeat("k", 256)).problem(http.StatusBadRequest)
	s.call("POST", "/api/v1/deletions", annBody, "Idempotency-Key", "").problem(http.StatusBadRequest)
}

func TestTheListIsPagedAndFiltered(t *testing.T) {
	st := newSite(t)
	s := st.script(everyScope...)
	for n := range 52 {
		value := fmt.Sprintf("p%d@example.com", n)
		storetest.Identify(t, st.db, "crm", "email", value)
		s.call("POST", "/api/v1/deletions", fmt.Sprintf(`{"key":"email","value":%q,"reference":"T-%d"}`, value, n)).want(http.StatusAccepted)
	}
	page := s.call("GET", "/api/v1/deletions", "").want(http.StatusOK).tree()
	if n := len(page["deletions"].([]any)); n != 50 {
		t.Fatalf("a page has %d", n)
	}
	last := s.call("GET", "/api/v1/deletions/?cursor="+page["next"].(string), "").want(http.StatusOK).tree()
	if len(last["deletions"].([]any)) != 2 || last["next"] != nil {
		t.Errorf("the last page is %v", last)
	}
	for query, want := range map[string]int{
		"state=pending&origin=api": 50, "state=completed": 0, "origin=customerlabs": 0, "q=T-7": 1, "q=T-99": 0,
		"from=2026-03-01": 50, "from=2026-03-02": 0, "to=2026-03-01": 50, "to=2026-02-28": 0,
		"to=2026-03-01T09:00:00Z": 0, "from=2026-03-01T10:00:00%2B01:00": 50,
	} {
		if got := len(s.call("GET", "/api/v1/deletions?"+query, "").want(http.StatusOK).tree()["deletions"].([]any)); got != want {
			t.Errorf("%s lists %d, want %d", query, got, want)
		}
	}
	for _, query := range []string{"state=gone", "origin=x", "from=yesterday", "to=1", "cursor=x", "stat=pending", "q=a&q=b", "q=%zz", "state="} {
		s.call("GET", "/api/v1/deletions?"+query, "").problem(http.StatusBadRequest)
	}
	p := s.call("GET", "/api/v1/deletions?state=gone", "").problem(http.StatusBadRequest).tree()
	if p["member"] != "state" || p["detail"] != "Give state as pending, in_progress, failed, completed or cancelled." {
		t.Errorf("an unknown state is answered with %v", p)
	}
}

// strictJSON is refused on every route that takes a body, by what is wrong
// with it. FIRST and REST are the route's own members.
var strictJSON = map[string]string{
	"a name twice":                `{FIRST,FIRST,REST}`,
	"another letter case":         `{FIRST,REST,"VALUE":"x","Identify_By_Value":"x"}`,
	"data after the end":          `{FIRST,REST} {}`,
	"invalid UTF-8":               "{FIRST,REST,\"x\":\"\xff\"}",
	"half a surrogate":            `{FIRST,REST,"x":"\ud800"}`,
	"an escaped NUL":              `{FIRST,REST,"x":"a\u0000"}`,
	"an escaped NUL in a name":    `{FIRST,REST,"\u0000x":1}`,
	"a raw NUL":                   "{FIRST,REST,\"x\":\"\x00\"}",
	"nesting over 32":             `{FIRST,REST,"x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`,
	"no JSON":                     `identify_by_key=email`,
	"half a JSON":                 `{FIRST`,
	"nothing":                     ``,
	"null":                        `null`,
	"an array":                    `[{FIRST,REST}]`,
	"a byte order mark":           "\ufeff{FIRST,REST}",
	"a name twice further inside": `{FIRST,REST,"x":{"a":1,"a":2}}`,
	"a name twice by its escape":  `{FIRST,REST,"x":{"a":1,"\u0061":2}}`,
	"a comment":                   `{FIRST,REST} // done`,
	"a member missing":            `{FIRST}`,
	"a member missing, the other": `{REST}`,
}

// wrongTypes takes the place of the value of the member REST.
var wrongTypes = []string{`1`, `null`, `true`, `["a"]`, `{"a":"b"}`, `""`, `" "`}

func TestEveryRouteRefusesLooseJSONAndQueuesNothing(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(append(everyScope, erasure.ScopeCustomerLabs)...)
	for path, names := range map[string][2]string{
		"/api/v1/profiles/find":          {"key", "value"},
		"/api/v1/deletions":              {"key", "value"},
		"/user-deletion/":                {"identify_by_key", "identify_by_value"},
		"/user-deletion/cancel-request/": {"identify_by_key", "identify_by_value"},
	} {
		first, rest := `"`+names[0]+`":"email"`, `"`+names[1]+`":"ann@example.com"`
		refused := func(what, body string) {
			t.Helper()
			a := s.call("POST", path, body, "X-API-Key", s.token)
			if a.status != http.StatusBadRequest || strings.Contains(a.body, "ann@example") {
				t.Errorf("%s, %s: %d %s", path, what, a.status, a.body)
			}
		}
		for what, body := range strictJSON {
			refused(what, strings.NewReplacer("FIRST", first, "REST", rest).Replace(body))
		}
		for _, value := range wrongTypes {
			refused(value, `{`+first+`,"`+names[1]+`":`+value+`}`)
		}
	}
	for _, body := range []string{`{"key":"email","value":"ann@example.com","x":1}`, `{"key":"email","value":"ann@example.com","suppress":"yes"}`,
		`{"key":"email","value":"ann@example.com","table":"people"}`, `{"key":"Email","value":"ann@example.com"}`,
		`{"key":"email","value":"ann@example.com","reference":"ann@example.com"}`, `{"key":"email","value":"ann@example.com","region":"XX"}`,
		`{"key":"efface_id","value":"ann"}`, `{"key":"email","value":"` + strings.Repeat("a", 1025) + `"}`} {
		s.call("POST", "/api/v1/deletions", body).problem(http.StatusBadRequest)
	}
	if list := s.call("GET", "/api/v1/deletions", "").tree(); len(list["deletions"].([]any)) != 0 {
		t.Errorf("something was queued: %v", list)
	}
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBodiesMayBeGzipAndAreLimitedUnpacked(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(append(everyScope, erasure.ScopeCustomerLabs)...)
	long := strings.Repeat(" ", 1<<20)
	for path, body := range map[string]string{
		"/api/v1/deletions": annBody, "/api/v1/profiles/find": annBody,
		"/user-deletion/": `{"identify_by_key":"email","identify_by_value":"ann@example.com"}`,
	} {
		send := func(body string, header ...string) reply {
			t.Helper()
			return s.call("POST", path, body, append(header, "X-API-Key", s.token)...)
		}
		for _, a := range []reply{send(packed(t, body)), send(packed(t, body), "Content-Encoding", "gzip", "Content-Type", "application/x-www-form-urlencoded"),
			send(body, "Content-Type", "text/plain")} {
			if a.status > 299 {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
		send(long + body).want(http.StatusRequestEntityTooLarge)
		send(packed(t, long+body)).want(http.StatusRequestEntityTooLarge)
		send(packed(t, body)[:30]).want(http.StatusBadRequest)
	}
}

func TestAPathWithoutARouteAndAnotherMethodAreProblems(t *testing.T) {
	st := newSite(t)
	s := st.script(everyScope...)
	for _, path := range []string{"/api", "/api/", "/api/v1/nothing", "/api/v1/deletions/x/y"} {
		s.call("POST", path, "{}").problem(http.StatusNotFound)
		s.call("GET", path, "").problem(http.StatusNotFound)
	}
	for _, path := range []string{"/api//v1/deletions", "/api/v1/x/../deletions", "//api/v1/deletions"} {
		if a := s.call("POST", path, annBody); a.status != http.StatusNotFound {
			t.Errorf("a POST to %s is answered with %d to %q", path, a.status, a.location())
		}
	}
	if a := s.call("DELETE", "/api/v1/deletions", "").problem(http.StatusMethodNotAllowed); a.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("allowed is %q", a.header.Get("Allow"))
	}
	s.call("PUT", "/api/v1/profiles/find/", annBody).problem(http.StatusMethodNotAllowed)
	if a := st.browser().send("GET", "/api/v1/deletions", nil).problem(http.StatusUnauthorized); !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("it asks for %q", a.header.Get("WWW-Authenticate"))
	}
	st.script(erasure.ScopeCustomerLabs).call("GET", "/api/v1/deletions", "").problem(http.StatusForbidden)
}

func TestAKeyOverItsRateWaits(t *testing.T) {
	st := newSite(t, func(c *Config) { c.RatePerKey = 0.001 })
	s := st.script(everyScope...)
	s.call("GET", "/api/v1/deletions", "").want(http.StatusOK)
	if a := s.call("GET", "/api/v1/deletions", "").problem(http.StatusTooManyRequests); a.header.Get("Retry-After") == "" {
		t.Error("it does not say how long to wait")
	}
	st.script(everyScope...).call("GET", "/api/v1/deletions", "").want(http.StatusOK)
	labs := st.script(erasure.ScopeCustomerLabs)
	labs.call("POST", "/user-deletion/", "", "X-API-Key", labs.token).want(http.StatusBadRequest)
	if a := labs.call("POST", "/user-deletion/", "", "X-API-Key", labs.token).want(http.StatusTooManyRequests); a.header.Get("Retry-After") == "" || !strings.HasPrefix(a.body, `{"success": false, `) {
		t.Errorf("it says %s", a.body)
	}
}

func TestNothingPersonalOfAScriptIsLogged(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "marker-1@example.com")
	s := st.script(append(everyScope, erasure.ScopeCustomerLabs)...)
	said := ""
	for _, body := range []string{
		`{"key":"email","value":"marker-1@example.com","reason":"marker-2"}`, `{"key":"email","value":"marker-3@example.com"}`,
		`{"key":"marker-4@example.com","value":"x"}`, `{"key":"email","value":["marker-5"]}`, `{"marker-6":1}`, `{"key":"email","value":"marker-7`,
		`{"identify_by_key":"email","identify_by_value":"marker-8@example.com"}`, `{"identify_by_key":"marker-9","identify_by_value":{"marker-10":1}}`,
		`{"key":"marker-11","key":1}`, `marker-12`,
	} {
		for _, path := range []string{"/api/v1/deletions", "/user-deletion/", "/user-deletion/cancel-request", "/api/v1/deletions/marker-13/cancel",
			"/api/v1/marker-14", "/user-deletion/marker-15", "/api/v1/deletions?q=marker-16", "/api/v1/profiles/find"} {
			a := s.call("POST", path, body, "X-API-Key", s.token, "Idempotency-Key", "marker-17"+body[:5])
			if a.status >= 300 {
				said += a.body
			}
		}
	}
	said += s.call("GET", "/api/v1/deletions?q=marker-18&state=marker-19", "").body
	if log := st.log.String(); strings.Contains(log, "marker") || strings.Contains(log, s.token) || strings.Contains(said, "marker") || log == "" {
		t.Errorf("the log or an error tells a marker:\n%s\n%s", log, said)
	}
}

package handlers

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

const checkPath = "/api/v1/suppressions/check"

// suppressed erases whom a user_id leads to, not to be collected again.
func (st *site) suppressed(userID string) erasure.Request {
	st.t.Helper()
	r, _, err := st.db.RequestErasure(st.t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", userID)[0],
		Suppress: true, Origin: erasure.API, Actor: erasure.System})
	if err != nil {
		st.t.Fatal(err)
	}
	st.erase()
	return r
}

func TestAScriptIsToldWhatIsSuppressedInTheOrderGiven(t *testing.T) {
	st := newSite(t)
	st.person("user_id", "u1", "email", "ann@example.com", "phone", "+4930123456")
	st.group("g1", 1)
	st.person("user_id", "u2")
	s := st.script(erasure.ScopeProfilesRead)
	st.suppressed("u1")
	since := st.clock.Now().Wall
	d := openDocument(t, st)
	a := s.call("POST", checkPath, `{"identifiers":[{"key":"user_id","value":"u2"},{"key":"email","value":" ANN@example.com","table":"user"},
		{"key":"email","value":"ann@example.com","table":"group"},{"key":"user_id","value":"u1"},{"key":"user_id","value":"u1"}]}`).want(http.StatusOK)
	yes := fmt.Sprintf(`{"suppressed":true,"since":%q,"expires_at":%q}`, *wire.Time(since), *wire.Time(since.Add(store.DefaultSuppressFor)))
	no := `{"suppressed":false,"since":null,"expires_at":null}`
	if want := `{"results":[` + strings.Join([]string{no, yes, no, yes, yes}, ",") + "]}\n"; a.body != want {
		t.Errorf("the answer is\n%s, not\n%s", a.body, want)
	}
	d.documented(a, "POST", checkPath)
	page, _, err := st.db.Activity(t.Context(), "", 1)
	if err != nil || page[0].Kind != erasure.SuppressionsChecked || !strings.HasPrefix(page[0].Actor, "key:") {
		t.Errorf("logged is %+v, %v", page, err)
	}
	if n := st.entries(erasure.SuppressionsChecked); n != 1 {
		t.Errorf("a call is logged %d times", n)
	}
	for _, other := range []string{`"key":"hubspot_id","value":"7"`, `"key":"phone","value":"030 999"`} { // whom nobody is known by
		if a := s.call("POST", checkPath, `{"identifiers":[{`+other+`},{"key":"phone","value":"+49 30 123456"},{"key":"phone","value":"0049 (0)30/123456"}]}`); a.body != `{"results":[`+strings.Join([]string{no, yes, yes}, ",")+"]}\n" {
			t.Errorf("with %s the answer is %s", other, a.body)
		}
	}
	st.clock.Advance(store.DefaultSuppressFor)
	s = st.script(erasure.ScopeProfilesRead)
	if a := s.call("POST", checkPath, `{"identifiers":[{"key":"user_id","value":"u1"}]}`); a.body != `{"results":[`+no+"]}\n" {
		t.Errorf("once expired it is %s", a.body)
	}
}

func TestAnEmptyCheckIsAnswered(t *testing.T) {
	st := newSite(t)
	if a := st.script(erasure.ScopeProfilesRead).call("POST", checkPath, `{"identifiers":[]}`).want(http.StatusOK); a.body != "{\"results\":[]}\n" {
		t.Errorf("the answer is %s", a.body)
	}
}

func TestACheckThatCannotBeReadIsRefusedAsAWhole(t *testing.T) {
	st := newSite(t)
	st.person("user_id", "u1")
	s := st.script(erasure.ScopeProfilesRead)
	d := openDocument(t, st)
	one := `{"key":"user_id","value":"u1"}`
	refused := func(status int, sentence, body string) {
		t.Helper()
		a := s.call("POST", checkPath, body).problem(status)
		if detail := a.tree()["detail"].(string); !strings.Contains(detail, sentence) || strings.Contains(a.body, "ann@example") {
			t.Errorf("%s is answered %s", body, a.body)
		}
		d.documented(a, "POST", checkPath)
	}
	refused(400, "Give identifiers", `{}`)
	refused(400, "Give identifiers", `{"identifiers":null}`)
	refused(400, "Give identifiers as an array", `{"identifiers":{}}`)
	refused(400, "", `[`+one+`]`)
	refused(400, "Leave out the member", `{"identifiers":[`+one+`],"x":1}`)
	refused(400, "Leave out the member", `{"identifiers":[{"key":"user_id","value":"u1","region":"DE"}]}`)
	refused(400, "Write key in exactly these letters", `{"identifiers":[{"Key":"user_id","value":"u1"}]}`)
	refused(400, "", `{"identifiers":["ann@example.com"]}`)
	refused(400, "", `{"identifiers":[null]}`)
	refused(400, "Identifier 2: Give value", `{"identifiers":[`+one+`,{"key":"email"}]}`)
	refused(400, "Identifier 2: Give key as", `{"identifiers":[`+one+`,{"key":"E-mail","value":"ann@example.com"}]}`)
	refused(400, "Identifier 1: Give key as", `{"identifiers":[{"key":"efface_id","value":"01990a5d-ac96-774b-bcce-b302099a8057"}]}`)
	refused(400, "Identifier 1: ", `{"identifiers":[{"key":"user_id","value":"u1","table":"people"}]}`)
	refused(400, "Identifier 2: ", `{"identifiers":[`+one+`,{"key":"email","value":"`+strings.Repeat("a", 1025)+`"}]}`)
	refused(413, "1,000 identifiers at most", `{"identifiers":[`+strings.Repeat(one+",", store.CheckAtOnce)+one+`]}`)
	if n := st.entries(erasure.SuppressionsChecked); n != 0 {
		t.Errorf("%d checks are logged, and none was answered", n)
	}
	s.call("POST", checkPath, `{"identifiers":[`+strings.Repeat(one+",", store.CheckAtOnce-1)+one+`]}`).want(http.StatusOK)
	d.documented(st.script(erasure.ScopeDeletionsRead).call("POST", checkPath, `{"identifiers":[]}`).problem(403), "POST", checkPath)
}

// The server's own default holds where neither console nor script says more.
func TestSuppressionIsTheServersDefaultWhereNothingIsSaid(t *testing.T) {
	for _, fallback := range []bool{false, true} {
		st := newSite(t, func(c *Config) { c.Suppress = fallback })
		p := st.person("user_id", "u1")
		b := st.signedIn(erasure.Staff)
		for _, path := range []string{profilePath(p.EffaceID) + "/delete", "/bulk"} {
			if ticked := b.get(path).find("#suppress[checked]").Length() == 1; ticked != fallback {
				t.Errorf("by default %v the box of %s is ticked: %v", fallback, path, ticked)
			}
		}
		s := st.script(everyScope...)
		for said, want := range map[string]bool{"": fallback, `,"suppress":true`: true, `,"suppress":false`: false} {
			user := fmt.Sprint("of one ", said)
			storetest.Identify(t, st.db, "shop", "user_id", user)
			storetest.Identify(t, st.db, "shop", "user_id", "list "+user)
			body := func(user string) string { return fmt.Sprintf(`{"key":"user_id","value":%q%s}`, user, said) }
			if made := s.call("POST", "/api/v1/deletions", body(user)).want(http.StatusAccepted).tree(); made["suppress"] != want {
				t.Errorf("by default %v, %q suppresses %v", fallback, said, made["suppress"])
			}
			s.call("POST", "/api/v1/deletions/batch", "["+body("list "+user)+"]").want(http.StatusAccepted)
			r, err := st.db.RequestByProfile(t.Context(), storetest.One(t, st.db, "user_id", "list "+user).EffaceID)
			if err != nil || r.Suppress != want {
				t.Errorf("by default %v, %q in a list suppresses %v, %v", fallback, said, r.Suppress, err)
			}
		}
	}
}

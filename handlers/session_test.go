package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

func sessionCookie(t *testing.T, a reply, name string) *http.Cookie {
	t.Helper()
	for _, line := range a.header.Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name == name {
			return c
		}
	}
	t.Fatalf("there is no cookie %s among %v", name, a.header.Values("Set-Cookie"))
	return nil
}

func TestTheCookieIsHttpOnlyAndSameSite(t *testing.T) {
	st := newSite(t)
	ann := st.invited("ann@example.com", erasure.Admin)
	a := st.browser().post("/link/"+st.link(store.SignInLink, ann.ID), nil)
	c := sessionCookie(t, a, "efface")
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure || c.Path != "/" || len(c.Value) != 43 {
		t.Errorf("the cookie is %s", c)
	}
}

func TestBehindTLSTheCookieIsSecureAndBoundToTheHost(t *testing.T) {
	st := newSite(t, func(c *Config) { c.BaseURL = "https://efface.example.com" })
	ann := st.invited("ann@example.com", erasure.Admin)
	a := st.browser().post("/link/"+st.link(store.SignInLink, ann.ID), nil)
	c := sessionCookie(t, a, "__Host-efface")
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || !c.Secure || c.Path != "/" || c.Domain != "" {
		t.Errorf("the cookie is %s", c)
	}
	if a.header.Get("Strict-Transport-Security") == "" {
		t.Error("there is no Strict-Transport-Security")
	}
}

func TestEachSignInGivesANewSessionAndEndsTheOldOne(t *testing.T) {
	st := newSite(t)
	ann := st.invited("ann@example.com", erasure.Admin)
	b := st.browser()
	first := sessionCookie(t, b.post("/link/"+st.link(store.SignInLink, ann.ID), nil), "efface").Value
	second := sessionCookie(t, b.post("/link/"+st.link(store.SignInLink, ann.ID), nil), "efface").Value
	if first == second {
		t.Error("the id is the same")
	}
	st.browser().get("/account", "Cookie", "efface="+first).leadsTo("/login")
	b.get("/account").want(http.StatusOK)
}

// withPoll adds a polled route, as the Deletion Logs have.
func withPoll(t *testing.T) *site {
	st := newSite(t)
	st.server.add(route{"GET", "/polled", signedIn, noBody, true, func(w http.ResponseWriter, _ *http.Request) error {
		return say(w, http.StatusOK, "rows")
	}})
	return st
}

func TestAPollRenewsNoSession(t *testing.T) {
	st := withPoll(t)
	b := st.signedIn(erasure.Admin)
	for range 3 {
		st.clock.Advance(10 * time.Minute)
		b.get("/polled", "HX-Request", "true")
	}
	b.get("/account").leadsTo("/login")

	b = st.signedIn(erasure.Admin)
	for range 3 {
		st.clock.Advance(10 * time.Minute)
		b.get("/account").want(http.StatusOK)
	}
	b.get("/account").want(http.StatusOK)
}

func TestAPollWithoutASessionLeadsToSignInAndBack(t *testing.T) {
	st := withPoll(t)
	st.operator("ann@example.com", erasure.Admin)
	b := st.browser()
	a := b.get("/polled", "HX-Request", "true", "HX-Current-URL", st.url+"/settings/keys?a=b%20c")
	if a.want(http.StatusUnauthorized).header.Get("HX-Redirect") != "/login" || a.body != "" {
		t.Errorf("got %v and %q", a.header, a.body)
	}
	next, _ := b.get("/login").find("input[name=next]").Attr("value")
	if next != "/settings/keys?a=b%20c" {
		t.Errorf("sign-in leads back to %q", next)
	}
	b.post("/login", url.Values{"email": {"ann@example.com"}, "password": {goodPassword}, "next": {next}}).leadsTo(next)
}

func TestAPageWithoutASessionLeadsToSignInAndBack(t *testing.T) {
	st := newSite(t)
	b := st.browser()
	b.get("/account?x=1").leadsTo("/login")
	if next, _ := b.get("/login").find("input[name=next]").Attr("value"); next != "/account?x=1" {
		t.Errorf("sign-in leads back to %q", next)
	}
}

func TestSignInLeadsToPagesOfThisServerOnly(t *testing.T) {
	st := newSite(t)
	for _, path := range []string{
		"https://evil.example/", "//evil.example/", "/\\evil.example", "evil", "", "javascript:alert(1)", "/\t/evil.example",
		"/nowhere", "/logout", "/static/app.css", "/login", "/healthz", "/settings/operators/x/role", "/account\r\nX: y",
		"/account?" + strings.Repeat("x", 1000),
	} {
		if got := st.server.localPath(path); got != "" {
			t.Errorf("%q leads to %q", path, got)
		}
	}
	for _, path := range []string{"/", "/account", "/settings/keys?a=b"} {
		if got := st.server.localPath(path); got != path {
			t.Errorf("%q leads to %q", path, got)
		}
	}
}

func TestSigningOutEndsEverySession(t *testing.T) {
	st := newSite(t)
	ann := st.invited("ann@example.com", erasure.Admin)
	here, there := st.browserOf(ann), st.browserOf(ann)
	others := st.signedIn(erasure.Staff)
	a := here.post("/logout", nil).leadsTo("/login")
	if c := sessionCookie(t, a, "efface"); c.Value != "" || c.MaxAge >= 0 {
		t.Errorf("the cookie is %s", c)
	}
	there.get("/account").leadsTo("/login")
	others.get("/account").want(http.StatusOK)
}

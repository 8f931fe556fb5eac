package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

func TestSigningInLeadsToTheStart(t *testing.T) {
	st := newSite(t)
	st.operator("ann@example.com", erasure.Staff)
	b := st.browser()
	b.login("Ann@example.com", goodPassword).leadsTo("/")
	b.get("/").leadsTo("/find")
	st.signedIn(erasure.Auditor).get("/").leadsTo("/logs")
}

func TestAnUnknownAccountAndAWrongPasswordAreAnsweredAlike(t *testing.T) {
	st := newSite(t)
	st.operator("ann@example.com", erasure.Staff)
	wrong := st.browser().login("ann@example.com", "not the password").want(http.StatusUnauthorized)
	unknown := st.browser().login("bob@example.com", "not the password").want(http.StatusUnauthorized)
	if strings.ReplaceAll(wrong.body, "ann@", "bob@") != unknown.body {
		t.Errorf("the pages differ:\n%s\n%s", wrong.body, unknown.body)
	}
	for name := range wrong.header {
		if name != "Date" && wrong.header.Get(name) != unknown.header.Get(name) {
			t.Errorf("the headers %s differ: %q and %q", name, wrong.header.Get(name), unknown.header.Get(name))
		}
	}
	if v, _ := wrong.find("input[name=email]").Attr("value"); v != "ann@example.com" {
		t.Errorf("the form holds %q", v)
	}
	if strings.Contains(wrong.body, "not the password") {
		t.Error("the page holds the password")
	}
}

func TestAnEmptyFormSaysWhatIsMissing(t *testing.T) {
	a := newSite(t).browser().login("", "").want(http.StatusUnprocessableEntity)
	if got := a.find("[role=alert] li").Length(); got != 2 {
		t.Errorf("%d problems are shown, want 2\n%s", got, a.body)
	}
}

func TestTooManyTriesAreAskedToWaitWhoeverAsks(t *testing.T) {
	st := newSite(t)
	st.operator("ann@example.com", erasure.Staff)
	b := st.browser()
	for range 5 {
		b.login("ann@example.com", "not the password").want(http.StatusUnauthorized)
	}
	a := b.login("ann@example.com", goodPassword).want(http.StatusTooManyRequests)
	if a.header.Get("Retry-After") != "1" || !strings.Contains(a.find("main").Text(), "Wait 1 second") {
		t.Errorf("got %v\n%s", a.header, a.body)
	}
	st.clock.Advance(time.Second)
	b.login("ann@example.com", goodPassword).leadsTo("/")
}

func TestAFormFromAnotherSiteIsRefused(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Admin)
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		b.send("POST", "/logout", nil, header...).want(http.StatusForbidden)
		b.send("POST", "/login", nil, header...).want(http.StatusForbidden)
	}
	b.get("/account").want(http.StatusOK)
	b.send("POST", "/logout", nil, "Origin", st.url).leadsTo("/login")
}

// Behind a proxy the Host may be another one than people see.
func TestTheBaseURLIsTrustedForForms(t *testing.T) {
	st := newSite(t, func(c *Config) { c.BaseURL = "https://efface.example.com/" })
	st.browser().send("POST", "/login", nil, "Origin", "https://efface.example.com").want(http.StatusUnprocessableEntity)
	st.browser().send("POST", "/login", nil, "Origin", "http://efface.example.com").want(http.StatusForbidden)
	sameHost := httptest.NewRequest("POST", "https://efface.example.com/login", nil)
	sameHost.Header.Set("Origin", "http://efface.example.com")
	a := httptest.NewRecorder()
	if st.server.Handler().ServeHTTP(a, sameHost); a.Code != http.StatusForbidden {
		t.Errorf("a form of the same host without TLS is answered with %d", a.Code)
	}
}

func TestALinkIsUsedUpByItsFormAlone(t *testing.T) {
	st := newSite(t)
	path := "/link/" + st.link(store.SetupLink, uuid.Nil)
	b := st.browser()
	for range 3 {
		a := b.get(path).want(http.StatusOK)
		if action, _ := a.find("form[method=post]").Attr("action"); action != path {
			t.Fatalf("the form leads to %q", action)
		}
	}
	a := b.post(path, url.Values{"email": {"ann@example.com"}, "password": {"short"}}).want(http.StatusUnprocessableEntity)
	if a.find("[role=alert]").Length() == 0 {
		t.Errorf("nothing is said\n%s", a.body)
	}
	b.post(path, url.Values{"email": {"ann@example.com"}, "password": {goodPassword}}).leadsTo("/")
	b.get("/settings").want(http.StatusOK)
	b.get(path).want(http.StatusNotFound)
	b.post(path, url.Values{"email": {"bob@example.com"}, "password": {goodPassword}}).want(http.StatusNotFound)
	if token := strings.TrimPrefix(path, "/link/"); strings.Contains(st.log.String(), token) {
		t.Error("the token is in the log")
	}
}

func TestTheClientsAddressIsTheNearestHopThatIsNotTrusted(t *testing.T) {
	st := newSite(t, func(c *Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}
	})
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1:99", "", "192.0.2.1"},
		{"192.0.2.1:99", "198.51.100.7", "192.0.2.1"},
		{"10.1.2.3:99", "198.51.100.7", "198.51.100.7"},
		{"10.1.2.3:99", "203.0.113.9, 198.51.100.7", "198.51.100.7"},
		{"10.1.2.3:99", "203.0.113.9, 198.51.100.7, 10.9.9.9", "198.51.100.7"},
		{"[2001:db8:1::5]:99", "2001:db8:2::1", "2001:db8:2::1"},
		{"[::ffff:10.1.2.3]:99", "::ffff:198.51.100.7", "198.51.100.7"},
		{"10.1.2.3:99", "198.51.100.7, rubbish", "10.1.2.3"},
		{"10.1.2.3:99", "", "10.1.2.3"},
		{"10.1.2.3:99", "10.4.4.4, 10.5.5.5", "10.4.4.4"},
	} {
		r, err := http.NewRequest(http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := st.server.clientAddress(r); got != netip.MustParseAddr(c.want) {
			t.Errorf("%+v gives %s", c, got)
		}
	}
}

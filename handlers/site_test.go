package handlers

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

const goodPassword = "rivers run uphill twice"

// site is a real server on a real store, with a clock that the test moves.
type site struct {
	t      *testing.T
	db     *store.DB
	dir    string // of the store
	clock  *storetest.Clock
	server *Server
	url    string
	log    *logged
}

// newSite starts a server; configure may change what it is told.
func newSite(t *testing.T, configure ...func(*Config)) *site {
	t.Helper()
	clock, dir := storetest.NewClock(), filepath.Join(t.TempDir(), "data")
	st := &site{t: t, clock: clock, dir: dir, db: storetest.Open(t, storetest.WithClock(clock), storetest.InDir(dir)), log: &logged{}}
	front := httptest.NewUnstartedServer(nil)
	config := Config{BaseURL: "http://" + front.Listener.Addr().String(), Logger: slog.New(slog.NewTextHandler(st.log, nil))}
	for _, c := range configure {
		c(&config)
	}
	var err error
	if st.server, err = New(st.db, config); err != nil {
		t.Fatal(err)
	}
	front.Config.Handler = st.server.Handler()
	front.Start()
	t.Cleanup(front.Close)
	st.url = front.URL
	return st
}

// logged is the server's log, read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// operator makes an account that signs in with goodPassword.
func (st *site) operator(email string, role erasure.Role) erasure.Operator {
	st.t.Helper()
	o, err := st.db.CreateOperator(st.t.Context(), erasure.System, store.NewOperator{Email: email, Role: role, Password: goodPassword})
	if err != nil {
		st.t.Fatal(err)
	}
	return o
}

// invited makes an account without a password, which costs no hash.
func (st *site) invited(email string, role erasure.Role) erasure.Operator {
	st.t.Helper()
	o, err := st.db.CreateOperator(st.t.Context(), erasure.System, store.NewOperator{Email: email, Role: role})
	if err != nil {
		st.t.Fatal(err)
	}
	return o
}

func (st *site) link(purpose store.LinkPurpose, id uuid.UUID) string {
	st.t.Helper()
	token, _, err := st.db.NewLink(st.t.Context(), erasure.System, purpose, id)
	if err != nil {
		st.t.Fatal(err)
	}
	return token
}

// browser keeps cookies and follows no redirect.
type browser struct {
	*site
	client *http.Client
}

func (st *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		st.t.Fatal(err)
	}
	return &browser{st, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

// signedIn returns a browser of somebody new with the role.
func (st *site) signedIn(role erasure.Role) *browser {
	st.t.Helper()
	return st.browserOf(st.invited(uuid.NewString()+"@example.com", role))
}

func (st *site) browserOf(o erasure.Operator) *browser {
	st.t.Helper()
	b := st.browser()
	if a := b.post("/link/"+st.link(store.SignInLink, o.ID), nil); a.status != http.StatusSeeOther {
		st.t.Fatalf("signing in: %d", a.status)
	}
	return b
}

// reply is an answer, read whole.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

func (a reply) location() string { return a.header.Get("Location") }

func (a reply) find(selector string) *goquery.Selection {
	a.t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(a.body))
	if err != nil {
		a.t.Fatal(err)
	}
	return doc.Find(selector)
}

func (a reply) want(status int) reply {
	a.t.Helper()
	if a.status != status {
		a.t.Errorf("got status %d, want %d\n%s", a.status, status, a.body)
	}
	return a
}

func (a reply) leadsTo(path string) reply {
	a.t.Helper()
	if a.status != http.StatusSeeOther || a.location() != path {
		a.t.Errorf("got status %d to %q, want 303 to %q\n%s", a.status, a.location(), path, a.body)
	}
	return a
}

func (b *browser) send(method, path string, body io.Reader, header ...string) reply {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{b.t, res.StatusCode, res.Header, string(text)}
}

func (b *browser) get(path string, header ...string) reply {
	b.t.Helper()
	return b.send("GET", path, nil, header...)
}

func (b *browser) post(path string, form url.Values, header ...string) reply {
	b.t.Helper()
	header = append(header, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	return b.send("POST", path, strings.NewReader(form.Encode()), header...)
}

func (b *browser) login(email, password string) reply {
	b.t.Helper()
	return b.post("/login", url.Values{"email": {email}, "password": {password}})
}

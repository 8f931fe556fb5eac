// Package compattest replays transcripts of a vendor's contract on a real
// server. It is for tests alone; README.md says what a transcript may hold.
package compattest

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/jobs"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// Scene is a real server on a real store, with a clock that the test moves.
type Scene struct {
	DB    *store.DB
	Clock *storetest.Clock
	URL   string
	Log   *Log
	Words map[string]string // what stands for a word that begins with $

	t *testing.T
}

// Log is the server's log, read while it is written.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// New starts a server. Its $KEY is like live, and so were $EXPIRED, which lives
// for an hour, and $REVOKED; $OTHER and $LABS have other scopes.
func New(t *testing.T, live store.NewKey, configure ...func(*handlers.Config)) *Scene {
	t.Helper()
	clock := storetest.NewClock()
	sc := &Scene{DB: storetest.Open(t, storetest.WithClock(clock)), Clock: clock, Log: &Log{}, Words: map[string]string{}, t: t}
	front := httptest.NewUnstartedServer(nil)
	config := handlers.Config{BaseURL: "http://" + front.Listener.Addr().String(), Logger: slog.New(slog.NewTextHandler(sc.Log, nil))}
	for _, c := range configure {
		c(&config)
	}
	s, err := handlers.New(sc.DB, config)
	if err != nil {
		t.Fatal(err)
	}
	front.Config = s.HTTPServer()
	front.Start()
	t.Cleanup(front.Close)
	sc.URL = front.URL
	sc.makeKeys(live)
	return sc
}

func (sc *Scene) makeKeys(live store.NewKey) {
	sc.t.Helper()
	expired, revoked := live, live
	live.Name, expired.Name, revoked.Name, expired.Expires = "live", "expired", "revoked", time.Hour
	sc.Words["$KEY"], sc.Words["$EXPIRED"], sc.Words["$REVOKED"] = sc.NewKey(live), sc.NewKey(expired), sc.NewKey(revoked)
	if err := sc.DB.RevokeKey(sc.t.Context(), erasure.System, "revoked"); err != nil {
		sc.t.Fatal(err)
	}
	sc.Words["$OTHER"] = sc.NewKey(store.NewKey{Name: "other", Scopes: []erasure.Scope{erasure.ScopeDeletionsWrite}})
	sc.Words["$LABS"] = sc.NewKey(store.NewKey{Name: "labs", Scopes: []erasure.Scope{erasure.ScopeCustomerLabs}})
}

// NewKey makes a key.
func (sc *Scene) NewKey(n store.NewKey) (token string) {
	sc.t.Helper()
	token, _, err := sc.DB.CreateKey(sc.t.Context(), erasure.System, n)
	if err != nil {
		sc.t.Fatal(err)
	}
	return token
}

// Key is the live key.
func (sc *Scene) Key() string { return sc.Words["$KEY"] }

// Send sends a request over a connection of its own and reads the whole
// answer. A header is a name and a value; no redirect is followed.
func (sc *Scene) Send(method, path, body string, header ...[2]string) (*http.Response, string) {
	sc.t.Helper()
	r, err := http.NewRequestWithContext(sc.t.Context(), method, sc.URL+path, strings.NewReader(body))
	if err != nil {
		sc.t.Fatal(err)
	}
	for _, h := range header {
		r.Header.Add(h[0], h[1])
	}
	res, err := (&http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}).RoundTrip(r)
	if err != nil {
		sc.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		sc.t.Fatal(err)
	}
	return res, string(text)
}

// act does what a line of a transcript that begins with ! asks for.
func (sc *Scene) act(words []string) {
	sc.t.Helper()
	var err error
	switch words[0] {
	case "know":
		sc.know(ingest.Identify, erasure.User, words[1:])
	case "know-group":
		sc.know(ingest.Group, erasure.Group, words[1:])
	case "wait":
		var d time.Duration
		d, err = time.ParseDuration(words[1])
		sc.Clock.Advance(d)
	case "claim":
		_, err = sc.DB.ClaimDue(sc.t.Context(), 500)
	case "destroy":
		_, _, err = sc.DB.DestroyKeys(sc.t.Context(), 500)
	case "erase":
		_, err = jobs.NewRunner(sc.DB, slog.New(slog.DiscardHandler)).Work(sc.t.Context())
	case "ask":
		_, _, err = sc.DB.RequestErasure(sc.t.Context(), erasure.NewRequest{Asked: storetest.Identifiers(words[1:]...)[0],
			Unknown: true, Origin: erasure.Console, Actor: erasure.System})
	case "cancel":
		_, err = sc.DB.CancelByIdentifier(sc.t.Context(), storetest.Identifiers(words[1:]...)[0], erasure.System, erasure.Console)
	case "requests":
		if got := sc.States(); !slices.Equal(got, words[1:]) {
			sc.t.Errorf("the requests are %v, want %v", got, words[1:])
		}
	default:
		sc.t.Fatalf("what is %q?", words[0])
	}
	if err != nil {
		sc.t.Fatal(err)
	}
}

// know stores a call. The first value of a person that nobody else has stands
// for their User ID from then on.
func (sc *Scene) know(kind ingest.Kind, table erasure.Table, pairs []string) {
	sc.t.Helper()
	ids := storetest.Identifiers(pairs...)
	for i := range ids {
		ids[i].Table = table
	}
	storetest.Tell(sc.t, sc.DB, ingest.Call{Kind: kind, Table: table, Source: "crm", Identifiers: ids})
	found, err := sc.DB.Find(sc.t.Context(), ids[0])
	if err != nil {
		sc.t.Fatal(err)
	}
	if name := "$ID:" + ids[0].Value; len(found) == 1 && sc.Words[name] == "" {
		sc.Words[name] = found[0].EffaceID.String()
	}
}

// States tells where each request that was made stands, sorted.
func (sc *Scene) States() (states []string) {
	sc.t.Helper()
	rs, _, err := sc.DB.Requests(sc.t.Context(), erasure.RequestFilter{Limit: 500})
	if err != nil {
		sc.t.Fatal(err)
	}
	for _, r := range rs {
		states = append(states, string(r.State))
	}
	slices.Sort(states)
	return states
}

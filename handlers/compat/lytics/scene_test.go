package lytics_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
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

// scene is a real server on a real store, with a clock that the test moves.
type scene struct {
	t     *testing.T
	db    *store.DB
	clock *storetest.Clock
	url   string
	log   *logged
	said  map[string]string // what stands for a word that begins with $
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

func newScene(t *testing.T, configure ...func(*handlers.Config)) *scene {
	t.Helper()
	clock := storetest.NewClock()
	sc := &scene{t: t, clock: clock, db: storetest.Open(t, storetest.WithClock(clock)), log: &logged{}, said: map[string]string{}}
	front := httptest.NewUnstartedServer(nil)
	config := handlers.Config{BaseURL: "http://" + front.Listener.Addr().String(), Logger: slog.New(slog.NewTextHandler(sc.log, nil))}
	for _, c := range configure {
		c(&config)
	}
	s, err := handlers.New(sc.db, config)
	if err != nil {
		t.Fatal(err)
	}
	front.Config = s.HTTPServer()
	front.Start()
	t.Cleanup(front.Close)
	sc.url = front.URL
	sc.said["$KEY"] = sc.newKey("live", erasure.ScopeLytics, 0)
	sc.said["$OTHER"] = sc.newKey("other", erasure.ScopeDeletionsWrite, 0)
	sc.said["$OLD"] = sc.newKey("old", erasure.ScopeLytics, time.Hour)
	sc.said["$GONE"] = sc.newKey("gone", erasure.ScopeLytics, 0)
	if err := sc.db.RevokeKey(t.Context(), erasure.System, "gone"); err != nil {
		t.Fatal(err)
	}
	return sc
}

func (sc *scene) newKey(name string, scope erasure.Scope, expires time.Duration) string {
	sc.t.Helper()
	token, _, err := sc.db.CreateKey(sc.t.Context(), erasure.System, store.NewKey{Name: name, Scopes: []erasure.Scope{scope}, Expires: expires})
	if err != nil {
		sc.t.Fatal(err)
	}
	return token
}

// act does what a line of a transcript that begins with ! asks for.
func (sc *scene) act(words []string) {
	sc.t.Helper()
	var err error
	switch words[0] {
	case "know":
		storetest.Identify(sc.t, sc.db, "crm", words[1:]...)
		if words[1] == "user_id" {
			sc.said["$ID:"+words[2]] = storetest.One(sc.t, sc.db, "user_id", words[2]).EffaceID.String()
		}
	case "know-group":
		ids := storetest.Identifiers(words[1:]...)
		for i := range ids {
			ids[i].Table = erasure.Group
		}
		storetest.Tell(sc.t, sc.db, ingest.Call{Kind: ingest.Group, Table: erasure.Group, Source: "crm", Identifiers: ids})
	case "wait":
		var d time.Duration
		d, err = time.ParseDuration(words[1])
		sc.clock.Advance(d)
	case "claim":
		_, err = sc.db.ClaimDue(sc.t.Context(), 500)
	case "destroy":
		_, _, err = sc.db.DestroyKeys(sc.t.Context(), 500)
	case "erase":
		_, err = jobs.NewRunner(sc.db, slog.New(slog.DiscardHandler)).Work(sc.t.Context())
	case "ask": // by another door
		storetest.Requested(sc.t, sc.db, words[1], words[2])
	case "cancel":
		_, err = sc.db.CancelByIdentifier(sc.t.Context(), storetest.Identifiers(words[1], words[2])[0], erasure.System, erasure.Console)
	default:
		sc.t.Fatalf("what is %q?", words[0])
	}
	if err != nil {
		sc.t.Fatal(err)
	}
}

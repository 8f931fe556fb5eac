package june_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
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

// scene is a real server on a real store, with a clock that the test moves.
type scene struct {
	t        *testing.T
	db       *store.DB
	clock    *storetest.Clock
	url      string
	key      string
	words    *strings.Replacer // what a transcript's $NAMES stand for
	requests []string          // their ids, as the answers first told of them
	log      *logged
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

func newScene(t *testing.T) *scene {
	t.Helper()
	clock := storetest.NewClock()
	sc := &scene{t: t, clock: clock, db: storetest.Open(t, storetest.WithClock(clock)), log: &logged{}}
	front := httptest.NewUnstartedServer(nil)
	s, err := handlers.New(sc.db, handlers.Config{BaseURL: "http://" + front.Listener.Addr().String(), Logger: slog.New(slog.NewTextHandler(sc.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	front.Config.Handler = s.Handler()
	front.Start()
	t.Cleanup(front.Close)
	sc.url, sc.key = front.URL, sc.newKey("june", erasure.ScopeJune, 0)
	revoked := sc.newKey("revoked", erasure.ScopeJune, 0)
	if err := sc.db.RevokeKey(t.Context(), erasure.System, "revoked"); err != nil {
		t.Fatal(err)
	}
	sc.words = strings.NewReplacer("$KEY", sc.key, "$COLON", encoded(sc.key+":"), "$ALONE", encoded(sc.key), "$PASSWORD", encoded(sc.key+":x"),
		"$OTHER", sc.newKey("other", erasure.ScopeDeletionsWrite, 0), "$LABS", sc.newKey("labs", erasure.ScopeCustomerLabs, 0),
		"$REVOKED", revoked, "$EXPIRED", sc.newKey("expired", erasure.ScopeJune, time.Hour))
	return sc
}

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

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
		ids := identifiers(words[1], words[2:])
		storetest.Tell(sc.t, sc.db, ingest.Call{Kind: ingest.Identify, Table: ids[0].Table, Source: "crm", Identifiers: ids})
	case "ask":
		_, _, err = sc.db.RequestErasure(sc.t.Context(), erasure.NewRequest{Asked: identifiers(words[1], words[2:])[0],
			Unknown: true, Origin: erasure.Console, Actor: erasure.System})
	case "wait":
		var d time.Duration
		d, err = time.ParseDuration(words[1])
		sc.clock.Advance(d)
	case "claim":
		_, err = sc.db.ClaimDue(sc.t.Context(), 500)
	case "erase":
		_, err = jobs.NewRunner(sc.db, slog.New(slog.DiscardHandler)).Work(sc.t.Context())
	default:
		sc.t.Fatalf("what is %q?", words[0])
	}
	if err != nil {
		sc.t.Fatal(err)
	}
}

func identifiers(table string, pairs []string) []erasure.Identifier {
	ids := storetest.Identifiers(pairs...)
	for i := range ids {
		ids[i].Table = erasure.Table(table)
	}
	return ids
}

var requestID = regexp.MustCompile(`er_[0-9a-z]{26}`)

// named writes er_1 for the request that the answers told of first.
func (sc *scene) named(answer string) string {
	return requestID.ReplaceAllStringFunc(answer, func(id string) string {
		n := slices.Index(sc.requests, id)
		if n < 0 {
			n = len(sc.requests)
			sc.requests = append(sc.requests, id)
		}
		return fmt.Sprintf("er_%d", n+1)
	})
}

// split takes what a transcript says of a request or an answer apart.
func split(lines []string) (first string, header [][2]string, body string) {
	for i, line := range lines[1:] {
		if line == "" {
			return lines[0], header, strings.Join(lines[i+2:], "\n")
		}
		name, value, _ := strings.Cut(line, ": ")
		header = append(header, [2]string{name, value})
	}
	return lines[0], header, ""
}

func (sc *scene) send(method, path, body string, header ...[2]string) (*http.Response, string) {
	sc.t.Helper()
	r, err := http.NewRequestWithContext(sc.t.Context(), method, sc.url+path, strings.NewReader(body))
	if err != nil {
		sc.t.Fatal(err)
	}
	for _, h := range header {
		r.Header.Add(h[0], h[1])
	}
	res, err := (&http.Transport{}).RoundTrip(r) // which follows no redirect
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

func (sc *scene) replay(title string, request, answer []string) {
	sc.t.Helper()
	first, header, body := split(request)
	for i := range header {
		header[i][1] = sc.words.Replace(header[i][1])
	}
	method, path, _ := strings.Cut(first, " ")
	res, text := sc.send(method, path, body, header...)
	status, wanted, want := split(answer)
	if got := res.Status[:3]; got != status || sc.named(text) != want {
		sc.t.Errorf("%s: %s\n%s\nwant %s\n%s", title, got, sc.named(text), status, want)
	}
	for _, h := range wanted {
		if res.Header.Get(h[0]) != h[1] {
			sc.t.Errorf("%s: %s is %q, want %q", title, h[0], res.Header.Get(h[0]), h[1])
		}
	}
}

func TestTheContractIsReplayedToTheByte(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d transcripts, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			newScene(t).run(string(text))
		})
	}
}

func (sc *scene) run(text string) {
	sc.t.Helper()
	var title string
	var request, answer []string
	flush := func() {
		if len(answer) > 0 {
			sc.replay(title, request, answer)
		}
		request, answer = nil, nil
	}
	for line := range strings.Lines(text) {
		mark, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch mark {
		case ">":
			request = append(request, rest)
		case "<":
			answer = append(answer, rest)
		case "--":
			flush()
			title = rest
		case "!":
			flush()
			sc.act(strings.Fields(rest))
		case "":
		default:
			sc.t.Fatalf("what is %q?", line)
		}
	}
	flush()
}

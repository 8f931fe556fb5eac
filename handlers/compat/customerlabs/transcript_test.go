package customerlabs_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/jobs"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// scene is a real server on a real store, with a clock that the test moves.
type scene struct {
	t          *testing.T
	db         *store.DB
	clock      *storetest.Clock
	url        string
	key, other string
	ids        map[string]string // User IDs by the e-mail first seen with them
}

func newScene(t *testing.T) *scene {
	t.Helper()
	clock := storetest.NewClock()
	sc := &scene{t: t, clock: clock, db: storetest.Open(t, storetest.WithClock(clock)), ids: map[string]string{}}
	front := httptest.NewUnstartedServer(nil)
	s, err := handlers.New(sc.db, handlers.Config{BaseURL: "http://" + front.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	front.Config.Handler = s.Handler()
	front.Start()
	t.Cleanup(front.Close)
	sc.url, sc.key, sc.other = front.URL, sc.newKey(erasure.ScopeCustomerLabs), sc.newKey(erasure.ScopeDeletionsWrite)
	return sc
}

func (sc *scene) newKey(scope erasure.Scope) string {
	sc.t.Helper()
	token, _, err := sc.db.CreateKey(sc.t.Context(), erasure.System, store.NewKey{Name: string(scope), Scopes: []erasure.Scope{scope}})
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
		if words[1] == "email" && sc.ids[words[2]] == "" {
			sc.ids[words[2]] = storetest.One(sc.t, sc.db, "email", words[2]).EffaceID.String()
		}
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

var idOf = regexp.MustCompile(`\$ID:[^"]+`)

func (sc *scene) fill(text string) string {
	text = idOf.ReplaceAllStringFunc(text, func(s string) string { return sc.ids[strings.TrimPrefix(s, "$ID:")] })
	return strings.NewReplacer("$KEY", sc.key, "$OTHER", sc.other).Replace(text)
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

func (sc *scene) replay(title string, request, answer []string) {
	sc.t.Helper()
	first, header, body := split(request)
	method, path, _ := strings.Cut(first, " ")
	r, err := http.NewRequestWithContext(sc.t.Context(), method, sc.url+path, strings.NewReader(sc.fill(body)))
	if err != nil {
		sc.t.Fatal(err)
	}
	for _, h := range header {
		r.Header.Add(h[0], sc.fill(h[1]))
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
	status, wanted, want := split(answer)
	if got := res.Status[:3]; got != status || string(text) != want {
		sc.t.Errorf("%s: %s\n%s\nwant %s\n%s", title, got, text, status, want)
	}
	for _, h := range wanted {
		if res.Header.Get(h[0]) != h[1] {
			sc.t.Errorf("%s: %s is %q, want %q", title, h[0], res.Header.Get(h[0]), h[1])
		}
	}
}

func TestTheContractIsReplayedToTheByte(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 2 {
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

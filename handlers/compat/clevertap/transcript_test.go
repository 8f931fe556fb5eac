package clevertap_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/jobs"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

const account = "TEST-W86-8R6"

// scene is a real server on a real store, with a clock that the test moves.
type scene struct {
	t     *testing.T
	db    *store.DB
	clock *storetest.Clock
	url   string
	keys  *strings.Replacer // by the names that transcripts give them
	key   string            // a live passcode of the account
}

func newScene(t *testing.T, configure ...func(*handlers.Config)) *scene {
	t.Helper()
	clock := storetest.NewClock()
	sc := &scene{t: t, clock: clock, db: storetest.Open(t, storetest.WithClock(clock))}
	front := httptest.NewUnstartedServer(nil)
	config := handlers.Config{BaseURL: "http://" + front.Listener.Addr().String()}
	for _, c := range configure {
		c(&config)
	}
	s, err := handlers.New(sc.db, config)
	if err != nil {
		t.Fatal(err)
	}
	front.Config.Handler = s.Handler()
	front.Start()
	t.Cleanup(front.Close)
	sc.url, sc.key = front.URL, sc.passcode("live", account)
	sc.makeKeys()
	return sc
}

func (sc *scene) passcode(name, account string) string {
	sc.t.Helper()
	return sc.newKey(store.NewKey{Name: name, Scopes: []erasure.Scope{erasure.ScopeCleverTap}, AccountID: account})
}

func (sc *scene) newKey(n store.NewKey) string {
	sc.t.Helper()
	token, _, err := sc.db.CreateKey(sc.t.Context(), erasure.System, n)
	if err != nil {
		sc.t.Fatal(err)
	}
	return token
}

// makeKeys makes those that open nothing here, or nothing any more.
func (sc *scene) makeKeys() {
	sc.t.Helper()
	scoped := func(s erasure.Scope) string {
		return sc.newKey(store.NewKey{Name: string(s), Scopes: []erasure.Scope{s}})
	}
	expired := sc.newKey(store.NewKey{Name: "expired", Scopes: []erasure.Scope{erasure.ScopeCleverTap}, AccountID: account, Expires: time.Hour})
	sc.clock.Advance(time.Hour)
	revoked := sc.passcode("revoked", account)
	if err := sc.db.RevokeKey(sc.t.Context(), erasure.System, "revoked"); err != nil {
		sc.t.Fatal(err)
	}
	sc.keys = strings.NewReplacer("$KEY", sc.key, "$OTHER", scoped(erasure.ScopeDeletionsWrite), "$LABS", scoped(erasure.ScopeCustomerLabs),
		"$REVOKED", revoked, "$EXPIRED", expired)
}

// act does what a line of a transcript that begins with ! asks for.
func (sc *scene) act(words []string) {
	sc.t.Helper()
	var err error
	switch words[0] {
	case "know":
		storetest.Identify(sc.t, sc.db, "crm", words[1:]...)
	case "wait":
		var d time.Duration
		d, err = time.ParseDuration(words[1])
		sc.clock.Advance(d)
	case "erase":
		_, err = jobs.NewRunner(sc.db, slog.New(slog.DiscardHandler)).Work(sc.t.Context())
	case "requests":
		if got := sc.states(); !slices.Equal(got, words[1:]) {
			sc.t.Errorf("the requests are %v, want %v", got, words[1:])
		}
	default:
		sc.t.Fatalf("what is %q?", words[0])
	}
	if err != nil {
		sc.t.Fatal(err)
	}
}

// states tells where each request that was made stands.
func (sc *scene) states() (states []string) {
	sc.t.Helper()
	rs, _, err := sc.db.Requests(sc.t.Context(), erasure.RequestFilter{Origin: erasure.CleverTap, Limit: 500})
	if err != nil {
		sc.t.Fatal(err)
	}
	for _, r := range rs {
		states = append(states, string(r.State))
	}
	slices.Sort(states)
	return states
}

var manyIDs = regexp.MustCompile(`\$IDS:\d+`)

func (sc *scene) fill(text string) string {
	text = manyIDs.ReplaceAllStringFunc(text, func(s string) string {
		n, err := strconv.Atoi(strings.TrimPrefix(s, "$IDS:"))
		if err != nil {
			sc.t.Fatal(err)
		}
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprintf("%q", fmt.Sprint("id-", i))
		}
		return strings.Join(ids, ",")
	})
	return sc.keys.Replace(text)
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
	for i := range header {
		header[i][1] = sc.fill(header[i][1])
	}
	res, text := sc.send(method, path, sc.fill(body), header...)
	status, wanted, want := split(answer)
	if got := res.Status[:3]; got != status || text != want {
		sc.t.Errorf("%s: %s\n%s\nwant %s\n%s", title, got, text, status, want)
	}
	for _, h := range wanted {
		if res.Header.Get(h[0]) != h[1] {
			sc.t.Errorf("%s: %s is %q, want %q", title, h[0], res.Header.Get(h[0]), h[1])
		}
	}
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
	res, err := (&http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}).RoundTrip(r) // which follows no redirect
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

func TestTheContractIsReplayedToTheByte(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 5 {
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

package lytics_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// word stands for what an answer chose: $er:NAME and $eb:NAME for an id that
// later lines may repeat, $REF and $NOW for what differs each time.
var (
	word   = regexp.MustCompile(`\$[A-Za-z]+(:[\w-]+)?`)
	quoted = regexp.MustCompile(`\\\$[A-Za-z]+(:[\w-]+)?`) // the same in a pattern
)

var forms = map[string]string{
	"$er": `er_[0-9a-z]{26}`, "$eb": `eb_[0-9a-z]{26}`, "$REF": `[0-9a-z]{8}`, "$NOW": `20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`,
}

func (sc *scene) fill(text string) string {
	return word.ReplaceAllStringFunc(text, func(s string) string {
		if said, ok := sc.said[s]; ok {
			return said
		}
		return s
	})
}

// fits compares an answer with what a transcript has, and keeps the ids that
// it has for the first time.
func (sc *scene) fits(got, want string) bool {
	sc.t.Helper()
	var named []string
	pattern := quoted.ReplaceAllStringFunc(regexp.QuoteMeta(sc.fill(want)), func(s string) string {
		name := s[1:]
		kind, _, _ := strings.Cut(name, ":")
		named = append(named, name)
		return "(" + forms[kind] + ")"
	})
	found := regexp.MustCompile(`^` + pattern + `$`).FindStringSubmatch(got)
	for i, name := range named {
		if found != nil && strings.Contains(name, ":") {
			sc.said[name] = found[i+1]
		}
	}
	return found != nil
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

func pack(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (sc *scene) replay(title string, request, answer []string) {
	sc.t.Helper()
	first, header, body := split(request)
	body = sc.fill(body)
	method, path, _ := strings.Cut(first, " ")
	for _, h := range header {
		if h[1] == "gzip" {
			body = pack(sc.t, body)
		}
	}
	r, err := http.NewRequestWithContext(sc.t.Context(), method, sc.url+sc.fill(path), strings.NewReader(body))
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
	if got := res.Status[:3]; got != status || !sc.fits(string(text), want) {
		sc.t.Errorf("%s: %s\n%s\nwant %s\n%s", title, got, text, status, sc.fill(want))
	}
	for _, h := range wanted {
		if res.Header.Get(h[0]) != h[1] {
			sc.t.Errorf("%s: %s is %q, want %q", title, h[0], res.Header.Get(h[0]), h[1])
		}
	}
}

// No transcript has a value that says something of a person in the server's
// log, nor a key that came in the query.
func TestTheContractIsReplayed(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d transcripts, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sc := newScene(t)
			sc.run(string(text))
			log := sc.log.String()
			if strings.Contains(log, "example") || strings.Contains(log, "efk_") || log == "" {
				t.Errorf("the log tells whom it was about:\n%s", log)
			}
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

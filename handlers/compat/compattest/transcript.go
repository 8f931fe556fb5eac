package compattest

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Contract replays the transcripts in testdata, of which there are at least so
// many, each on a new scene. None has a value that says something of a person
// in the server's log, nor a key.
func Contract(t *testing.T, atLeast int, newScene func(*testing.T) *Scene) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < atLeast {
		t.Fatalf("%d transcripts, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sc := newScene(t)
			sc.Replay(string(text))
			if log := sc.Log.String(); strings.Contains(log, "example") || strings.Contains(log, "efk_") || log == "" {
				t.Errorf("the log tells whom it was about:\n%s", log)
			}
		})
	}
}

// Replay runs the lines of a transcript.
func (sc *Scene) Replay(text string) {
	sc.t.Helper()
	var title string
	var request, answer []string
	flush := func() {
		sc.t.Helper()
		if len(answer) > 0 {
			sc.exchange(title, request, answer)
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

// exchange sends a request and compares what comes back.
func (sc *Scene) exchange(title string, request, answer []string) {
	sc.t.Helper()
	first, header, body := split(request)
	body = sc.fill(body)
	for i, h := range header {
		if h[1] == "gzip" {
			body = Packed(sc.t, body)
		}
		header[i][1] = sc.fill(h[1])
	}
	method, path, _ := strings.Cut(first, " ")
	res, text := sc.Send(method, sc.fill(path), body, header...)
	status, wanted, want := split(answer)
	if got := res.Status[:3]; got != status || !sc.fits(text, want) {
		sc.t.Errorf("%s: %s\n%s\nwant %s\n%s", title, got, text, status, sc.fill(want))
	}
	for _, h := range wanted {
		if res.Header.Get(h[0]) != h[1] {
			sc.t.Errorf("%s: %s is %q, want %q", title, h[0], res.Header.Get(h[0]), h[1])
		}
	}
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

// Packed is a text as gzip.
func Packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var (
	word   = regexp.MustCompile(`\$[A-Za-z]+(:[\w@.-]+)?`)
	quoted = regexp.MustCompile(`\\\$[A-Za-z]+(:(\\?[\w@.-])+)?`) // the same in a pattern
)

// forms are what an answer chose: $er:NAME and $eb:NAME, which later lines may
// repeat, $REF and $NOW, which differ each time.
var forms = map[string]string{
	"$er": `er_[0-9a-z]{26}`, "$eb": `eb_[0-9a-z]{26}`, "$REF": `[0-9a-z]{8}`, "$NOW": `20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`,
}

func (sc *Scene) fill(text string) string {
	return word.ReplaceAllStringFunc(text, func(s string) string {
		if said, ok := sc.Words[s]; ok {
			return said
		}
		return s
	})
}

// fits compares an answer with what a transcript has, and keeps the ids that
// it has for the first time.
func (sc *Scene) fits(got, want string) bool {
	var named []string
	pattern := quoted.ReplaceAllStringFunc(regexp.QuoteMeta(sc.fill(want)), func(s string) string {
		name := strings.ReplaceAll(s, `\`, "")
		kind, _, _ := strings.Cut(name, ":")
		named = append(named, name)
		return "(" + forms[kind] + ")"
	})
	found := regexp.MustCompile(`^` + pattern + `$`).FindStringSubmatch(got)
	for i, name := range named {
		if found != nil && strings.Contains(name, ":") {
			sc.Words[name] = found[i+1]
		}
	}
	return found != nil
}

package static

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Result()
}

func TestAFileOfThisBuildIsKeptForEver(t *testing.T) {
	r := get(t, Path("app.css"))
	if r.StatusCode != http.StatusOK || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%d, Cache-Control %q", r.StatusCode, r.Header.Get("Cache-Control"))
	}
	if got := r.Header.Get("Content-Type"); got != "text/css; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
}

func TestAURLOfAnotherBuildIsServedButNotKept(t *testing.T) {
	r := get(t, "/static/0123456789abcdef/app.css")
	if r.StatusCode != http.StatusOK || r.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%d, Cache-Control %q", r.StatusCode, r.Header.Get("Cache-Control"))
	}
}

func TestOnlyFilesAreServed(t *testing.T) {
	for _, name := range []string{"icons", "icons/", "nothing.css", "../embed.go", "assets/%2e%2e/app.go"} {
		if r := get(t, Path(name)); r.StatusCode == http.StatusOK {
			t.Errorf("%s is served", name)
		}
	}
}

func TestTheStyleSheetLoadsOnlyFilesThatAreServed(t *testing.T) {
	css, err := fs.ReadFile(files, "app.css")
	if err != nil {
		t.Fatal(err)
	}
	urls := regexp.MustCompile(`url\("?([^")]+)`).FindAllSubmatch(css, -1)
	if len(urls) == 0 {
		t.Fatal("the style sheet names no file")
	}
	for _, u := range urls {
		if _, err := fs.Stat(files, string(u[1])); err != nil {
			t.Errorf("app.css loads %s, which is not there", u[1])
		}
	}
}

// The count is of the version that app.css was written for: a new one may
// embed more images, each of which the Content Security Policy refuses.
func TestTablerEmbedsTheImagesThatAreReplacedAndNoOther(t *testing.T) {
	tabler, err := fs.ReadFile(files, "assets/tabler.min.css")
	if err != nil {
		if Missing() == nil {
			t.Error("the style sheet is missing and nothing says so")
		}
		return
	}
	const known = 23
	if got := strings.Count(string(tabler), "data:image"); got != known {
		t.Errorf("Tabler embeds %d images, where app.css replaces %d", got, known)
	}
}

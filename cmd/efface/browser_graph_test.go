//go:build browser

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// imported gives lines that a source gives of somebody.
func imported(t *testing.T, data, source string, lines ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "told.ndjson")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "import", "--data", data, "--source", source, file)
}

// hostile are values that would break a page that took them for more than text.
var hostile = []string{`\"><script>document.title='x'</script>`, `\u202eenoemos\u2066 \u05e2\u05d1\u05e8\u05d9\u05ea`, "\U0001F469\u200d\U0001F680 " + strings.Repeat("🚀", 60), strings.Repeat("w", 250)}

func TestStoryOfAGraphInABrowser(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, 2, "serve", "--data", data, "--listen", "127.0.0.1:0")
	b := browse(t, s.base)
	b.setUp(linkIn(t, s.out[1]))
	imported(t, data, "crm", `{"type":"identify","userId":"u1","traits":{"email":"ann@example.com","phone":"+49 30 1234567"}}`,
		`{"type":"identify","userId":"u2","traits":{"phone":"+49 30 1234567"}}`)
	var many []string
	for i, value := range hostile {
		many = append(many, fmt.Sprintf(`{"type":"identify","userId":"u3","anonymousId":"%s","traits":{"email":"u3.%d@example.com","phone":"+49 30 1234567"}}`, value, i))
	}
	for i := range 55 {
		many = append(many, fmt.Sprintf(`{"type":"track","userId":"u3","event":"seen","anonymousId":"cookie-%d","timestamp":"%d-05-01T00:00:00Z","context":{"externalIds":[{"id":"device-%d","type":"device","collection":"users","encoding":"none"}]}}`, i/3, 2019+i%6, i))
	}
	imported(t, data, "web", many...)

	b.find("user_id", "u1")
	b.at("profile with few identifiers", http.StatusOK, http.StatusOK)
	b.shows(".card:has(#identifiers)", "Also leads to 2 other profiles")
	b.holds("the picture is as wide as its box", `document.querySelector("svg.graph").getBoundingClientRect().right <= document.querySelector(".graph-box").getBoundingClientRect().right`)
	graphIsScrolledByKeyboard(b)
	telephoneShowsTables(b)
	userID := b.find("user_id", "u3")
	b.at("profile with many identifiers", http.StatusOK, http.StatusOK)
	b.holds("what sources gave is text", `document.title.startsWith("Profile") && !document.querySelector("main script")`)
	b.holds("no text of the picture leaves its box", `[...document.querySelectorAll("svg.graph svg text")].every(t => t.getComputedTextLength() < t.parentNode.width.baseVal.value)`)
	b.at("deletion of many identifiers", b.press(".page-actions .btn-danger"), http.StatusOK)
	whatGrewIsAskedForAgain(b, data, userID)
}

// graphIsScrolledByKeyboard scrolls the picture where it is wider than the page.
func graphIsScrolledByKeyboard(b *tab) {
	b.t.Helper()
	b.look(600, "light")
	b.eval(`(document.querySelector(".graph-box").focus(), true)`)
	b.key(kb.ArrowRight)
	b.until("the picture is scrolled", `document.querySelector(".graph-box").scrollLeft > 0`)
	b.look(1280, "light")
}

// telephoneShowsTables shows the tables alone where the picture has no room, and
// nothing that is scrolled sideways.
func telephoneShowsTables(b *tab) {
	b.t.Helper()
	b.look(390, "light")
	b.holds("the picture gives way", `document.querySelector(".graph-box").offsetParent == null && document.querySelector(".graph-hidden").offsetParent != null`)
	b.holds("no table is wider than the page", `[...document.querySelectorAll(".table-responsive")].every(t => t.scrollWidth <= t.clientWidth)`)
	b.look(1280, "light")
}

func whatGrewIsAskedForAgain(b *tab, data, userID string) {
	b.t.Helper()
	b.fill("#reference", "DSR-2041")
	b.fill("#reason", "Asked for it by letter.")
	b.choose("#suppress", "")
	b.fill("#confirm", userID)
	imported(b.t, data, "shop", `{"type":"identify","userId":"u3","anonymousId":"new-1"}`, `{"type":"identify","userId":"u3","anonymousId":"new-2"}`)
	if status := b.submit("/profiles/" + userID + "/delete"); status != http.StatusConflict {
		b.t.Errorf("a profile that grew is answered with %d", status)
	}
	b.until("the error summary has the focus", `document.activeElement.matches(".alert-danger[role=alert]")`)
	b.shows(".alert-danger", "2 identifiers and 1 source came since you looked")
	b.holds("what was typed is kept", fmt.Sprintf(`document.querySelector("#reference").value == "DSR-2041" &&
		document.querySelector("#reason").value == "Asked for it by letter." && document.querySelector("#suppress").checked &&
		document.querySelector("#confirm").value == %q`, userID))
	b.at("a profile that grew", http.StatusConflict, http.StatusConflict)
	b.eval(`(document.querySelector("#confirm").focus(), true)`)
	b.enter()
	b.until("the request is made", `document.querySelector(".confirmation") != null`)
	b.shows(".confirmation", "Note the request ID or the reference")
}

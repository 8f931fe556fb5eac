//go:build browser

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Somebody is erased through the browser, and the receipt that it downloads is
// verified by the script that has nothing of Efface; so is the log entry that
// the Deletion Logs lead to.
func TestAReceiptFromTheBrowserIsVerifiedWithoutEfface(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, 2, "serve", "--data", data, "--listen", "127.0.0.1:0", "--cancel-window", "1s")
	b := browse(t, s.base)
	b.setUp(linkIn(t, s.out[1]))
	sample(t, data)
	userID := b.find("email", "leonekohler@surfeu.de")
	request := b.request(userID, "DSR-2043")
	b.until("a receipt is offered", `document.querySelector("#receipt a") != null`)
	b.press("#receipt a")
	b.shows("main", "is erased: it was destroyed here")
	b.shows("main", "DSR-2043")
	b.shows("main", userID)
	key := strings.TrimSpace(must(t, "log", "key", "--data", data).stdout)
	b.shows("main", key)

	b.printsToOneSheet()

	receipt := b.fetched("/requests/" + request + "/receipt.json")
	log := b.fetched("/logs/export")
	b.visit("/logs")
	b.press("#entry-" + request)
	b.shows("main", "Completed an erasure")
	entry := b.fetched(b.path() + "/entry.json")
	changed := write(t, "changed.json", strings.Replace(readFile(t, receipt), `"records":`, `"records":1`, 1))
	other := write(t, "other.json", strings.Replace(readFile(t, entry), `"kind":"request.completed"`, `"kind":"request.cancelled"`, 1))
	cut := write(t, "cut.jsonl", readFile(t, log)[1:])
	for _, c := range []struct {
		kind, file string
		holds      bool
	}{{"receipt", receipt, true}, {"log", log, true}, {"entry", entry, true}, {"receipt", changed, false}, {"entry", other, false}, {"log", cut, false}} {
		said := efface(t, "", "verify", c.kind, c.file, "--key", key)
		if (said.code == 0) != c.holds || !strings.Contains(said.stdout, ": holds: ") == c.holds {
			t.Errorf("efface verify %s ends with %d: %s", c.kind, said.code, said.stdout)
		}
		out, err := exec.CommandContext(t.Context(), "python3", "-I", "../../docs/verify.py", c.kind, c.file, "--key", key).CombinedOutput()
		if (err == nil) != c.holds || !strings.Contains(string(out), ": holds: ") == c.holds {
			t.Errorf("verify.py %s ends with %v: %s", c.kind, err, out)
		}
	}
}

var pdfPage = regexp.MustCompile(`/Type\s*/Page\b`)

// printsToOneSheet prints the page on A4, in a dark colour scheme too.
func (b *tab) printsToOneSheet() {
	b.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		b.look(1280, scheme)
		out := call(b, page.PrintToPDF, page.PrintToPDFParams{PaperWidth: 8.27, PaperHeight: 11.69})
		if sheets := len(pdfPage.FindAll(out.Data, -1)); sheets != 1 {
			b.t.Errorf("the receipt takes %d sheets", sheets)
		}
	}
	b.look(1280, "light")
}

// fetched fetches a file as the page's visitor, and returns where it is.
func (b *tab) fetched(path string) (file string) {
	b.t.Helper()
	text := do(b, path, chromedp.Evaluate[string](fmt.Sprintf(`fetch(%q).then(r => r.ok ? r.text() : Promise.reject(r.status))`, path), chromedp.EvalAwaitPromise))
	return write(b.t, "download", text)
}

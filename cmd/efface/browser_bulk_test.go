//go:build browser

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// attach chooses a file that holds a list.
func (b *tab) attach(list string) {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "list.csv")
	if err := os.WriteFile(path, []byte(list), 0o600); err != nil {
		b.t.Fatal(err)
	}
	do(b, "choosing a file", chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{path}))
}

// browsed is a server of so many people, and a tab in which staff are signed in.
func (s *scene) browsed(n int) (b *tab, people []somebody) {
	s.t.Helper()
	s.command(password+"\n", "operator", "create", "--email", "ann@example.com", "--role", "operator", "--password-stdin")
	people = s.crowd(n, 0)
	var file strings.Builder
	file.WriteString(csvColumns)
	for _, p := range people {
		file.WriteString(p.csv())
	}
	s.serve("24h")
	s.command(file.String(), "import", "--source", inTheClear, "-")
	b = browse(s.t, s.base)
	b.visit("/login")
	b.fill("#email", "ann@example.com")
	b.fill("#password", password)
	b.submit("/login")
	return b, people
}

// holdLists keeps lists from getting past their first 4,000 lines until it is
// told to let them go.
func (s *scene) holdLists() (letGo func()) {
	s.change("efface.db", `CREATE TRIGGER hold BEFORE UPDATE ON spools WHEN NEW.done > 4000 AND NEW.stage IN ('checking', 'queueing')
		BEGIN SELECT RAISE(ABORT, 'held by the test'); END`)
	return func() { s.change("efface.db", `DROP TRIGGER hold`) }
}

// Each stage of a list is reached, looked at by axe, and turns into the next
// one by itself.
func TestStoryOfABulkDeletionInABrowser(t *testing.T) {
	t.Parallel()
	const people = 4500
	s := newScene(t)
	b, all := s.browsed(people)
	var list strings.Builder
	list.WriteString("Email,name\n")
	for _, p := range all {
		fmt.Fprintf(&list, "%s,%s\n", strings.ToUpper(p.email), p.name)
	}
	fmt.Fprintf(&list, "nobody@example.com,\n%s,again\n ,nothing\n", all[0].email)

	b.at("bulk deletion", b.press(`a[href="/bulk"]`), http.StatusOK)
	b.fill("#reference", "DSR-7")
	b.at("upload without a file", b.submit("/bulk"), http.StatusUnprocessableEntity)
	b.until("the error summary has the focus", `document.activeElement.matches(".alert-danger[role=alert]")`)
	b.shows(".problems", "Choose a file.")
	b.holds("what was typed is kept", `document.querySelector("#reference").value == "DSR-7"`)

	letGo := s.holdLists()
	b.attach(list.String())
	b.at("list on its way", b.submit("/bulk"), http.StatusOK)
	b.shows(".alert-info", "were ignored: name")
	page := b.path()
	b.turns("a list being checked", "4,000 of 4,503 lines", letGo, "Check the counts, then confirm")
	b.holds("the turn is said", `document.querySelector("#said[role=status]").textContent == "The list is checked. It leads to 4,500 profiles that can be deleted."`)
	b.at("checked list", http.StatusOK, http.StatusOK)
	for row, want := range []string{"Matched 4,500", "Not found 1", "Duplicate 1", "Shared 0", "Already requested 0", "Refused 1", "All 4,503"} {
		if got := strings.Join(strings.Fields(b.text(fmt.Sprintf("tbody tr:nth-child(%d)", row+1))), " "); !strings.HasPrefix(got, want) {
			t.Errorf("row %d is %q, not %q", row, got, want)
		}
	}
	b.fill("#confirm", "4503")
	b.at("checked list with a problem", b.submit(page), http.StatusUnprocessableEntity)
	b.until("the error summary has the focus", `document.activeElement.matches(".alert-danger[role=alert]")`)
	if n := s.count(openRequests); n != 0 {
		t.Errorf("%d requests were made before the confirmation", n)
	}

	letGo = s.holdLists()
	b.fill("#confirm", "4,500")
	b.submit(page)
	b.turns("a list being queued", "4,000 of 4,503 lines", letGo, "Deletion requested for 4,500 profiles")
	b.at("batch", http.StatusOK, http.StatusOK)
	if n := s.count(openRequests); n != people {
		t.Errorf("%d requests are open", n)
	}
	resultHolds(b, people)
	batchIsCancelled(b, s, page)
	listIsGivenUp(b, all[0].email)
}

// turns waits for what a page says while it is held, and for what it turns into.
func (b *tab) turns(name, held string, letGo func(), into string) {
	b.t.Helper()
	says := func(text string) string {
		return fmt.Sprintf(`document.querySelector("#stage").innerText.includes(%q)`, text)
	}
	b.until("the bar stands at what is done", says(held))
	b.holds("the bar says the same", `document.querySelector("progress").value == 4000 && document.querySelector("progress").max == 4503`)
	b.axe(name)
	b.eval(`(window.opened = true)`)
	letGo()
	b.until("the stage turns", says(into))
	b.holds("the page was not loaded again", `window.opened === true`)
}

func resultHolds(b *tab, people int) {
	b.t.Helper()
	rows := b.download("#result")
	if len(rows) != people+4 {
		b.t.Fatalf("the result has %d rows", len(rows))
	}
	for i, want := range map[int]string{1: "2 queued", people: "4501 queued", people + 1: "4502 not_found", people + 2: "4503 already_requested", people + 3: "4504 invalid"} {
		if got := strings.Join(rows[i][:2], " "); got != want || strings.HasPrefix(rows[i][2], "er_") != strings.HasSuffix(want, "ed") {
			b.t.Errorf("row %d is %q, not %s", i, rows[i], want)
		}
	}
	if strings.Contains(fmt.Sprint(rows), "@") {
		b.t.Error("the result shows a value")
	}
}

func batchIsCancelled(b *tab, s *scene, page string) {
	b.t.Helper()
	b.press("#requests")
	b.shows("#rows", "DSR-7")
	b.visit(page)
	b.at("cancel of a batch", b.press("#cancel"), http.StatusOK)
	b.at("cancel of a batch with a problem", b.submit(page+"/cancel"), http.StatusUnprocessableEntity)
	b.fill("#confirm", "4500")
	b.at("cancelled batch", b.submit(page+"/cancel"), http.StatusOK)
	b.shows(".alert-success", "Requests cancelled: 4,500.")
	b.shows("#stage", "The batch is cancelled")
	b.at("cancelled before", b.visit(page+"/cancel"), http.StatusConflict)
	if n := s.count(openRequests); n != 0 {
		b.t.Errorf("%d requests are still open", n)
	}
}

func listIsGivenUp(b *tab, email string) {
	b.t.Helper()
	b.visit("/bulk")
	b.attach("key,value\nemail," + email + "\nphone,none\n,\n")
	b.submit("/bulk")
	page := b.path()
	b.until("the list is checked", `document.querySelector("#confirm") != null`)
	b.beside(page, func(other *tab) {
		other.press("#discard")
		other.shows(".alert-success", "The list is given up")
	})
	b.fill("#confirm", "1")
	b.at("list that is gone", b.submit(page), http.StatusNotFound)
}

func TestStoryOfABulkDeletionWithoutJavaScript(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b, all := s.browsed(3)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.visit("/bulk")
	b.holds("no script ran", `!document.documentElement.classList.contains("js")`)
	b.attach("user_id\n" + all[0].userID + "\n" + all[1].userID + "\n")
	b.submit("/bulk")
	page := b.path()
	for b.text("#confirm-problem, label[for=confirm]") == "" {
		b.reload()
	}
	b.fill("#confirm", "2")
	b.submit(page)
	for b.text(".confirmation") == "" {
		b.reload()
	}
	b.shows(".confirmation", "Deletion requested for 2 profiles")
}

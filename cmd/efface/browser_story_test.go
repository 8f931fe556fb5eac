//go:build browser

package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// restarted stops a server and starts another one on its store, with another
// cancel window and at another port. Sessions stay.
func (b *tab) restarted(s *served, data, window string) *served {
	b.t.Helper()
	if code := s.stop(b.t); code != 0 {
		b.t.Errorf("the server ended with %d: %s", code, s.log)
	}
	s = serve(b.t, 1, "serve", "--data", data, "--listen", "127.0.0.1:0", "--cancel-window", window)
	b.base = s.base
	return s
}

func TestStoryOfADeletionInABrowser(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, 2, "serve", "--data", data, "--listen", "127.0.0.1:0")
	b := browse(t, s.base)
	b.setUp(linkIn(t, s.out[1]))
	sample(t, data)

	userID := foundByEmailAndPhone(b)
	wrongPasteIsRefused(b, userID)
	rightPasteRequests(b, userID)
	request := b.text("#request-id")
	pendingRequestIsCancelled(b, request, userID)

	b.visit("/profiles/" + userID)
	request = b.request(userID, "DSR-2042")
	s = b.restarted(s, data, "50s")
	focusSurvivesAPoll(b, request, userID)
	done := rowTurnsToCompletedByItself(b, s, data)
	downloadHolds(b, done)
}

func foundByEmailAndPhone(b *tab) (userID string) {
	b.t.Helper()
	userID = b.find("email", "  Bjorn.Hansen@Yahoo.no ")
	b.shows("main", "bjorn.hansen@yahoo.no")
	b.visit("/find")
	b.choose("#key", "phone")
	b.fill("#value", "22 44 (22) 22")
	b.choose("#region", "NO")
	b.submit("/find")
	if got := b.text("#user-id"); got != userID {
		b.t.Errorf("by phone %q is found, by e-mail %q", got, userID)
	}
	b.shows("main", "+47 22 44 22 22")
	return userID
}

func wrongPasteIsRefused(b *tab, userID string) {
	b.t.Helper()
	b.press(".page-actions .btn-danger")
	b.fill("#reference", "DSR-2041")
	b.fill("#reason", "Asked for it by letter.")
	b.choose("#suppress", "")
	b.fill("#confirm", "01890000-0000-7000-8000-000000000000")
	if status := b.submit("/profiles/" + userID + "/delete"); status != http.StatusUnprocessableEntity {
		b.t.Errorf("a wrong paste is answered with %d", status)
	}
	b.until("the error summary has the focus", `document.activeElement.matches(".alert-danger[role=alert]")`)
	b.holds("the title says so", `document.title.startsWith("Error: ")`)
	b.holds("what was typed is kept", `document.querySelector("#reference").value == "DSR-2041" &&
		document.querySelector("#reason").value == "Asked for it by letter." && document.querySelector("#suppress").checked &&
		document.querySelector("#confirm").value.startsWith("01890000")`)
	b.beside("/logs", func(logs *tab) { logs.shows("main", "No deletion has been requested yet") })
}

// rightPasteRequests copies the User ID with the page's own button.
func rightPasteRequests(b *tab, userID string) {
	b.t.Helper()
	call(b, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "clipboard-write"}, Setting: browser.PermissionSettingGranted, Origin: b.base})
	do(b, "copying", chromedp.Click(chromedp.CSS(`[data-copy="user-id"]`)))
	b.until("the button says that it copied", `document.querySelector('[data-copy="user-id"] [data-said]').textContent == "Copied"`)
	b.eval(`(document.querySelector("#confirm").select(), true)`)
	call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Commands: []string{"paste"}})
	b.until("the User ID is pasted", fmt.Sprintf(`document.querySelector("#confirm").value == %q`, userID))
	b.submit("/profiles/" + userID + "/delete")
	b.shows(".confirmation", "Note the request ID or the reference")
	if !strings.HasPrefix(b.text("#request-id"), "er_") {
		b.t.Fatalf("the confirmed request is at %s: %s", b.path(), b.text("main"))
	}
	b.shows("main", "DSR-2041")
}

func pendingRequestIsCancelled(b *tab, request, userID string) {
	b.t.Helper()
	b.visit("/logs")
	b.shows("#row-"+request, "Pending")
	b.shows("#row-"+request, "23 h 5")
	b.press("#cancel-" + request)
	b.fill("#confirm", request)
	if status := b.submit("/requests/" + request + "/cancel"); status != http.StatusUnprocessableEntity {
		b.t.Errorf("the request id in place of the User ID is answered with %d", status)
	}
	b.fill("#confirm", " "+strings.ToUpper(userID)+"\u200b")
	b.submit("/requests/" + request + "/cancel")
	b.shows(".alert-success", "The request is cancelled")
	b.visit("/logs")
	b.shows("#row-"+request, "Cancelled")
	b.holds("nothing is asked for again", `!document.querySelector("#rows").hasAttribute("hx-get")`)
	b.visit("/profiles/" + userID)
	b.shows("main", "bjorn.hansen@yahoo.no")
}

// focusSurvivesAPoll holds the focus on the row of a request while another one
// is due within a minute, so that the rows come every two seconds.
func focusSurvivesAPoll(b *tab, request, userID string) {
	b.t.Helper()
	b.request(b.find("user_id", "59"), "DSR-2043")
	b.visit("/logs")
	link := fmt.Sprintf("document.getElementById(%q)", "cancel-"+request)
	b.eval(`(window.old = ` + link + `, old.focus(), true)`)
	b.until("the rows are swapped", `!old.isConnected`)
	b.until("the cancel link has the focus again", `document.activeElement == `+link)
	b.press("#cancel-" + request)
	b.fill("#confirm", userID)
	b.submit("/requests/" + request + "/cancel")
}

// rowTurnsToCompletedByItself asks for the deletion of one after the other
// until the log is opened before the window is over, on a slow machine with
// longer ones.
func rowTurnsToCompletedByItself(b *tab, s *served, data string) (request string) {
	b.t.Helper()
	person := 0
	for _, window := range []string{"2s", "10s", "30s"} {
		s = b.restarted(s, data, window)
		for range 5 {
			person++
			userID := b.find("user_id", fmt.Sprint(person))
			request = b.request(userID, fmt.Sprintf("DSR-3%03d", person))
			b.visit("/logs?q=" + request)
			b.eval(`(window.opened = true)`)
			if b.text("#row-"+request+" .status") == "Pending" {
				b.turnsToCompleted(request, userID)
				return request
			}
		}
	}
	b.t.Fatal("the log was never open before a window was over")
	return ""
}

func (b *tab) turnsToCompleted(request, userID string) {
	b.t.Helper()
	b.until("the row says Completed", fmt.Sprintf(`document.querySelector("#row-%s .status").textContent == "Completed"`, request))
	b.holds("the page was not loaded again", `window.opened === true`)
	b.until("the polling has stopped", `!document.querySelector("#rows").hasAttribute("hx-get")`)
	if status := b.visit("/profiles/" + userID); status != http.StatusNotFound {
		b.t.Errorf("the erased profile is answered with %d", status)
	}
}

// downloadHolds takes the CSV by the page's own link.
func downloadHolds(b *tab, request string) {
	b.t.Helper()
	b.visit("/logs?state=completed")
	if rows := b.download("a[download]"); len(rows) < 2 || rows[1][0] != request || rows[1][3] != "completed" {
		b.t.Errorf("the CSV holds %q", rows)
	}
}

// download presses a link to a CSV and reads that.
func (b *tab) download(selector string) [][]string {
	b.t.Helper()
	dir := b.t.TempDir()
	ended := make(chan string, 16)
	if err := chromedp.ListenBrowser(b.ctx, func(event any) {
		if e, ok := event.(*browser.EventDownloadProgress); ok && e.State != browser.DownloadProgressStateInProgress {
			ended <- string(e.State)
		}
	}); err != nil {
		b.t.Fatal(err)
	}
	if _, err := chromedp.CallBrowser(b.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir, EventsEnabled: new(true)}); err != nil {
		b.t.Fatal(err)
	}
	do(b, "downloading", chromedp.Click(chromedp.CSS(selector)))
	select {
	case state := <-ended:
		if state != "completed" {
			b.t.Fatalf("the download is %s", state)
		}
	case <-time.After(patience):
		b.t.Fatal("the download does not end")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil || len(files) != 1 {
		b.t.Fatalf("the download left %q, %v", files, err)
	}
	rows, err := csv.NewReader(strings.NewReader(readFile(b.t, files[0]))).ReadAll()
	if err != nil {
		b.t.Fatal(err)
	}
	return rows
}

// Of a group its own data goes, and its members stay.
func TestStoryOfAGroupInABrowser(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, 2, "serve", "--data", data, "--listen", "127.0.0.1:0", "--cancel-window", "1s")
	b := browse(t, s.base)
	b.setUp(linkIn(t, s.out[1]))
	var calls strings.Builder
	for _, user := range []string{"u1", "u2", "u3"} {
		fmt.Fprintf(&calls, `{"type":"group","userId":%q,"groupId":"acct-7","traits":{"name":"Rossi & Figli"}}`+"\n", user)
	}
	account := "group_id,email,name\nacct-7,info@rossi.example,Rossi & Figli\n"
	for _, e := range []ended{
		efface(t, account, "import", "--data", data, "--source", "crm", "--table", "group", "-"),
		efface(t, calls.String(), "import", "--data", data, "--source", "crm", "-"),
	} {
		if e.code != 0 {
			t.Fatalf("an import ended with %d: %s", e.code, e.stderr)
		}
	}

	b.visit("/find")
	b.fill("#value", "acct-7")
	do(b, "choosing groups", chromedp.Click(chromedp.CSS(`[name="table"][value="group"]`)))
	b.until("the keys are a group's", `document.querySelector("#key").value == "group_id"`)
	b.holds("what was typed is kept, and stands in no URL", `document.querySelector("#value").value == "acct-7" && location.search == "" &&
		performance.getEntriesByType("resource").every(e => !e.name.includes("acct-7"))`)
	b.submit("/find")
	b.shows("h1", "Profile of a group")
	b.shows(".facts", "Members\n3")
	b.shows("main", "info@rossi.example")
	userID := b.text("#user-id")
	b.press(".page-actions .btn-danger")
	b.shows("main", "its 3 memberships")
	b.shows("main", "Its members stay")
	b.fill("#confirm", userID)
	b.submit("/profiles/" + userID + "/delete")
	b.shows(".facts", "Account (group)")
	request := b.text("#request-id")
	for b.visit("/logs"); b.text("#row-"+request+" .status") != "Completed"; b.reload() {
	}
	b.shows("#row-"+request, "Account (group)")
	if status := b.visit("/profiles/" + userID); status != http.StatusNotFound {
		t.Errorf("the erased group is answered with %d", status)
	}
	b.find("user_id", "u2")
	b.shows(".facts", "Groups\n0")
}

func TestStoryOfADeletionWithoutJavaScript(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, 2, "serve", "--data", data, "--listen", "127.0.0.1:0")
	b := browse(t, s.base)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.setUp(linkIn(t, s.out[1]))
	sample(t, data)
	b.holds("no script ran", `!document.documentElement.classList.contains("js")`)

	userID := b.find("email", "leonekohler@surfeu.de")
	b.press(".page-actions .btn-danger")
	b.fill("#confirm", "not it")
	if status := b.submit("/profiles/" + userID + "/delete"); status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong paste is answered with %d", status)
	}
	b.holds("the error summary has the focus", `document.activeElement.matches(".alert-danger[role=alert]")`)
	b.visit("/profiles/" + userID)
	request := b.request(userID, "DSR-1")
	b.visit("/logs")
	b.shows("#row-"+request, "Pending")
	b.press("#cancel-" + request)
	b.fill("#confirm", userID)
	b.submit("/requests/" + request + "/cancel")
	b.shows("main", "Cancelled")

	b.restarted(s, data, "2s")
	b.visit("/profiles/" + userID)
	request = b.request(userID, "DSR-2")
	for b.visit("/logs"); b.text("#row-"+request+" .status") != "Completed"; b.reload() {
	}
	b.choose("#state", "cancelled")
	b.submit("/logs")
	b.holds("the filter shows one row", `document.querySelectorAll("#rows tr").length == 1`)
}

// enter presses the enter key, as one event: with two of them, a link that moves
// the focus on the first would leave the second to where the focus went.
func (b *tab) enter() {
	b.t.Helper()
	key := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "Enter", Code: "Enter", Text: "\r", WindowsVirtualKeyCode: 13}
	call(b, input.DispatchKeyEvent, key)
	key.Type, key.Text = input.DispatchKeyEventTypeKeyUp, ""
	call(b, input.DispatchKeyEvent, key)
}

// tabTo presses the tab key until an element has the focus.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 60 {
		if b.eval(fmt.Sprintf(`document.activeElement.matches(%q)`, selector)) {
			b.holds("the focus is seen", `getComputedStyle(document.activeElement).outlineStyle == "solid"`)
			return
		}
		b.key(kb.Tab)
	}
	b.t.Fatalf("%s: the tab key does not lead to %s", b.path(), selector)
}

func TestADeletionNeedsNoMouse(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, 2, "serve", "--data", data, "--listen", "127.0.0.1:0")
	b := browse(t, s.base)
	enter := func(what string) {
		t.Helper()
		b.leads("entering "+what, chromedp.Func(func(context.Context, *chromedp.Target) error { b.enter(); return nil }))
	}
	b.visit(linkIn(t, s.out[1]))
	b.tabTo("#email")
	b.key("ann@example.com")
	b.tabTo("#password")
	b.key(password)
	enter("a password")
	sample(t, data)
	b.reload()

	b.tabTo(".skip-link")
	b.enter()
	b.tabTo("#value")
	b.key("leonekohler@surfeu.de")
	enter("an e-mail address")
	userID := b.text("#user-id")
	b.tabTo(".page-actions .btn-danger")
	enter("Request deletion")
	b.tabTo("#confirm")
	b.key("not it")
	enter("a wrong User ID")
	b.tabTo(`a[href="#confirm"]`) // in the summary, which has the focus
	b.enter()
	b.until("the summary leads to the field", `document.activeElement.id == "confirm"`)
	b.eval(`(document.activeElement.select(), true)`)
	b.key(userID)
	enter("the User ID")
	b.shows(".confirmation", "Deletion requested")
	b.tabTo(".page-actions a")
	enter("Cancel this request")
	b.tabTo("#confirm")
	b.key(userID)
	enter("the User ID")
	b.shows("main", "Cancelled")
}

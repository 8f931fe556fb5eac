//go:build browser

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/efface/efface/static"
)

// patience is how long one step of a browser may take on a loaded machine.
const patience = time.Minute

// tab is a tab of Chromium. What its pages complain of is kept until the test
// ends, which then fails.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string // scheme and host of the server

	mu         sync.Mutex
	complaints []complaint
	refused    map[complaint]bool // what the browser says of a page that was refused
}

// complaint is a console message, an entry of the browser's log such as a
// violation of the Content Security Policy, or an issue its audits found.
type complaint struct{ text, url string }

// browse starts Chromium with a new profile.
func browse(t *testing.T, base string) *tab {
	t.Helper()
	if err := static.Missing(); err != nil {
		t.Fatal("The browser tests need the pages' style sheets and scripts, axe and Chromium: run make test, which fetches them.")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900), chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-component-update", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("Chromium ended with %v", err)
		}
		stop()
	})
	return newTab(t, ctx, base)
}

// beside shows a page in a second tab of the same session and closes it: a tab
// behind another one takes no input.
func (b *tab) beside(path string, see func(*tab)) {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	defer cancel()
	other := newTab(b.t, ctx, b.base)
	other.visit(path)
	see(other)
}

func newTab(t *testing.T, ctx context.Context, base string) *tab {
	t.Helper()
	b := &tab{t: t, ctx: ctx, base: base, refused: map[complaint]bool{}}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	_, err := chromedp.Call(ctx, audits.Enable, cdp.Empty{})
	if err == nil {
		_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatal(err)
	}
	b.look(1280, "light")
	t.Cleanup(b.checkComplaints)
	return b
}

func (b *tab) listen(event any) {
	var c complaint
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		c.text = fmt.Sprintf("console.%s: %s", e.Type, compact(e.Args))
	case *runtime.EventExceptionThrown:
		c.text, c.url = "exception: "+compact(e.ExceptionDetails), e.ExceptionDetails.URL
	case *log.EventEntryAdded:
		c.text, c.url = e.Entry.Text, e.Entry.URL
	case *audits.EventIssueAdded:
		c.text = fmt.Sprintf("issue: %s %s", e.Issue.Code, compact(e.Issue.Details))
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, c)
}

func compact(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// checkComplaints fails the test for each one but the browser's own note that
// a page was refused, where the test saw that it was.
func (b *tab) checkComplaints() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		if !b.refused[c] {
			b.t.Errorf("the browser complains at %q of: %s", c.url, c.text)
		}
	}
}

// do runs one step, or ends the test.
func do[T any](b *tab, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	return v
}

// call sends a command of the protocol, or ends the test.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	r, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return r
}

// look sets the width of the window and the system's colour scheme.
func (b *tab) look(width int64, scheme string) {
	b.t.Helper()
	do(b, "resizing", chromedp.EmulateViewport(width, 900))
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
}

// leads runs a step that leads to a page, and returns the page's status.
func (b *tab) leads(what string, step chromedp.Action[chromedp.Void]) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, step)
	if err != nil || response == nil {
		b.t.Fatalf("%s leads to no page: %v", what, err)
	}
	status := int(response.Status)
	if status >= http.StatusBadRequest {
		b.mu.Lock()
		b.refused[complaint{
			fmt.Sprintf("Failed to load resource: the server responded with a status of %d (%s)", status, http.StatusText(status)), response.URL,
		}] = true
		b.mu.Unlock()
	}
	b.until("what wants the focus has it", `[document.activeElement, null].includes(document.querySelector("[autofocus]"))`)
	return status
}

// visit opens a page as a typed address does.
func (b *tab) visit(path string) int {
	b.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = b.base + path
	}
	return b.leads("opening "+path, chromedp.Steps(chromedp.Navigate(path)))
}

// reload loads the page once more.
func (b *tab) reload() int {
	b.t.Helper()
	return b.leads("reloading", chromedp.Reload())
}

// press clicks a link or button that leads to a page.
func (b *tab) press(selector string) int {
	b.t.Helper()
	return b.leads("pressing "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// submit presses the main button of the form that acts on a path.
func (b *tab) submit(action string) int {
	b.t.Helper()
	return b.press(fmt.Sprintf(`form[action=%q] button[type="submit"]`, action))
}

// fill puts text into a field in place of what is there, as a paste does.
func (b *tab) fill(selector, value string) {
	b.t.Helper()
	b.eval(fmt.Sprintf(`(e => { e.focus(); e.select(); return true })(document.querySelector(%q))`, selector))
	call(b, input.InsertText, input.InsertTextParams{Text: value})
	if value == "" {
		b.key("\b")
	}
}

// choose picks an option of a list, or ticks a box.
func (b *tab) choose(selector, value string) {
	b.t.Helper()
	b.eval(fmt.Sprintf(`(e => { if (e.type == "checkbox" || e.type == "radio") e.checked = true; else e.value = %q; return true })(document.querySelector(%q))`, value, selector))
}

// key presses keys one after the other.
func (b *tab) key(keys string) {
	b.t.Helper()
	do(b, "pressing a key", chromedp.KeyEvent(keys))
}

// eval evaluates an expression that gives a boolean.
func (b *tab) eval(expression string) bool {
	b.t.Helper()
	return do(b, expression, chromedp.Evaluate[bool](expression))
}

// text is what an element says.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return do(b, selector, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q)?.innerText.trim() ?? ""`, selector)))
}

// path is the path of the page shown.
func (b *tab) path() string {
	b.t.Helper()
	return do(b, "location", chromedp.Evaluate[string](`location.pathname`))
}

// shows fails the test unless an element says something.
func (b *tab) shows(selector, want string) {
	b.t.Helper()
	if got := b.text(selector); !strings.Contains(got, want) {
		b.t.Errorf("%s: %s says %q, not %q", b.path(), selector, got, want)
	}
}

// holds fails the test unless an expression is true.
func (b *tab) holds(what, expression string) {
	b.t.Helper()
	if !b.eval(expression) {
		b.t.Errorf("%s: it does not hold that %s", b.path(), what)
	}
}

// until waits for an expression to be true.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	for again := time.NewTicker(50 * time.Millisecond); ; {
		if b.eval(expression) {
			again.Stop()
			return
		}
		select {
		case <-again.C:
		case <-end.C:
			b.t.Fatalf("%s: still not: %s", b.path(), what)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

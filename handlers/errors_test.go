package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// failing adds a route that answers with the error.
func (st *site) failing(path string, err error) {
	st.server.add(route{"GET", path, signedIn, noBody, false, func(http.ResponseWriter, *http.Request) error { return err }})
}

func wantReference(t *testing.T, st *site, a reply) {
	t.Helper()
	reference := a.find("main code").Text()
	if len(reference) != 8 || !strings.Contains(st.log.String(), "reference="+reference) {
		t.Errorf("the reference %q is not in the log", reference)
	}
	if a.find("h1").Length() != 1 {
		t.Errorf("the page has no heading\n%s", a.body)
	}
}

func TestErrorsHavePagesWithAReferenceThatIsInTheLog(t *testing.T) {
	st := newSite(t)
	statuses := map[erasure.Code]int{
		erasure.CodeInvalid:   http.StatusUnprocessableEntity,
		erasure.CodeNotFound:  http.StatusNotFound,
		erasure.CodeShared:    http.StatusConflict,
		erasure.CodeTooLate:   http.StatusConflict,
		erasure.CodeConflict:  http.StatusConflict,
		erasure.CodeForbidden: http.StatusForbidden,
		erasure.CodeLimited:   http.StatusTooManyRequests,
		erasure.CodeTooLarge:  http.StatusRequestEntityTooLarge,
	}
	for code := range statuses {
		st.failing("/code/"+string(code), fmt.Errorf("inside: %w", erasure.Errorf(code, "The sentence of %s.", code)))
	}
	st.failing("/inside", errors.New("the inside"))
	b := st.signedIn(erasure.Admin)
	for code, status := range statuses {
		a := b.get("/code/" + string(code)).want(status)
		wantReference(t, st, a)
		if !strings.Contains(a.find("main").Text(), "The sentence of "+string(code)) || strings.Contains(a.body, "inside") {
			t.Errorf("the page says\n%s", a.body)
		}
	}
	a := b.get("/inside").want(http.StatusInternalServerError)
	wantReference(t, st, a)
	if strings.Contains(a.body, "the inside") || !strings.Contains(st.log.String(), `error="the inside"`) {
		t.Errorf("the inside belongs in the log alone\n%s", a.body)
	}
	wantReference(t, st, b.get("/nowhere").want(http.StatusNotFound))
	wantReference(t, st, st.browser().get("/nowhere").want(http.StatusNotFound))
	wantReference(t, st, st.signedIn(erasure.Auditor).get("/settings").want(http.StatusForbidden))
	a = b.send("DELETE", "/account", nil).want(http.StatusMethodNotAllowed)
	wantReference(t, st, a)
	if a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("allowed is %q", a.header.Get("Allow"))
	}
}

func TestAFullDiskIsToldAsWhatItIs(t *testing.T) {
	st := newSite(t)
	st.failing("/full", fmt.Errorf("making keys: %w", syscall.ENOSPC))
	a := st.signedIn(erasure.Staff).get("/full").want(http.StatusServiceUnavailable)
	wantReference(t, st, a)
	if !strings.Contains(a.find("main").Text(), "its disk is full") {
		t.Errorf("the page says\n%s", a.body)
	}
}

func TestAWitnessThatCannotBeWrittenIsToldAsWhatItIs(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	st.failing("/unwitnessed", fmt.Errorf("%w: %w", store.ErrWitness, syscall.ENOSPC))
	a := b.get("/unwitnessed").want(http.StatusServiceUnavailable)
	wantReference(t, st, a)
	if !strings.Contains(a.find("main").Text(), "its witness can't be written to") {
		t.Errorf("the page says\n%s", a.body)
	}
	log := filepath.Join(st.db.Options().Witness, "log.jsonl")
	if err := os.Rename(log, log+".away"); err != nil {
		t.Fatal(err)
	}
	_ = st.db.LogExport(t.Context(), erasure.Terminal) // is not acknowledged
	if ready := st.browser().get("/readyz").want(http.StatusServiceUnavailable); !strings.Contains(ready.body, "the witness cannot be written") {
		t.Errorf("it says %q", ready.body)
	}
	if err := os.Rename(log+".away", log); err != nil {
		t.Fatal(err)
	}
	st.browser().get("/readyz").want(http.StatusOK)
}

func TestALimitedErrorSaysHowLongToWait(t *testing.T) {
	st := newSite(t)
	st.failing("/limited", &erasure.Limited{Wait: 90500e6})
	a := st.signedIn(erasure.Admin).get("/limited").want(http.StatusTooManyRequests)
	if a.header.Get("Retry-After") != "91" || !strings.Contains(a.body, "Wait 2 minutes") {
		t.Errorf("got %q\n%s", a.header.Get("Retry-After"), a.body)
	}
}

func TestAScriptGetsAProblemAndNoPage(t *testing.T) {
	st := newSite(t)
	a := st.browser().get("/api/v1/nowhere").want(http.StatusNotFound)
	if a.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(a.body, `"status":404`) {
		t.Errorf("got %v\n%s", a.header, a.body)
	}
}

func TestTooLargeABodyIsRefusedWithAPage(t *testing.T) {
	st := newSite(t)
	large := strings.Repeat("x", formBody+1)
	b := st.browser()
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	wantReference(t, st, b.send("POST", "/login", strings.NewReader("email="+large), form...).want(http.StatusRequestEntityTooLarge))
	// Without a length it shows only while it is read.
	chunked := io.MultiReader(strings.NewReader("email="), strings.NewReader(large))
	wantReference(t, st, b.send("POST", "/login", chunked, form...).want(http.StatusRequestEntityTooLarge))
}

func TestAFormThatCannotBeReadIsRefused(t *testing.T) {
	b := newSite(t).browser()
	for _, form := range []string{"email=%zz", "email=%ff%fe", "email=a%00b", "email=a;b=c"} {
		b.send("POST", "/login", strings.NewReader(form), "Content-Type", "application/x-www-form-urlencoded").want(http.StatusBadRequest)
	}
}

func TestAPanicIsAPageAndItsValueStaysOutOfTheLog(t *testing.T) {
	st := newSite(t)
	st.server.add(route{"GET", "/panic", signedIn, noBody, false, func(http.ResponseWriter, *http.Request) error {
		panic("ann@example.com")
	}})
	b := st.signedIn(erasure.Admin)
	wantReference(t, st, b.get("/panic").want(http.StatusInternalServerError))
	if log := st.log.String(); strings.Contains(log, "ann@example.com") || !strings.Contains(log, "panic of type string") {
		t.Errorf("the log says %s", log)
	}
}

func TestAClientThatWentAwayIsNoError(t *testing.T) {
	st := newSite(t)
	gone := make(chan struct{}, 1)
	st.server.add(route{"GET", "/slow", public, noBody, false, func(w http.ResponseWriter, r *http.Request) error {
		select {
		case gone <- struct{}{}:
		default:
		}
		<-r.Context().Done()
		return r.Context().Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-gone; cancel() }()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, st.url+"/slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(r); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	// One that only stops sending reads on: what was refused is no empty 200.
	st.server.add(route{"GET", "/refused", public, noBody, false, func(w http.ResponseWriter, r *http.Request) error {
		<-r.Context().Done()
		return errNoPage
	}})
	for path, want := range map[string]string{"/slow": "", "/refused": "HTTP/1.1 404"} {
		if got := st.halfClosed(path); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: who closed one half reads %q", path, got)
		}
	}
	st.browser().get("/healthz").want(http.StatusOK)
	if strings.Contains(st.log.String(), "level=ERROR") {
		t.Errorf("the log says %s", st.log)
	}
}

// halfClosed asks for a page on a connection that sends nothing more.
func (st *site) halfClosed(path string) string {
	st.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(st.url, "http://"))
	if err != nil {
		st.t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path)
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		st.t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		st.t.Fatal(err)
	}
	return string(b)
}

func TestTheLogNamesRoutesAndNothingPersonal(t *testing.T) {
	st := newSite(t)
	ann := st.operator("marker-account@example.com", erasure.Admin)
	b := st.browserOf(ann)
	b.get("/settings/keys?q=marker-query", "User-Agent", "marker-agent", "Referer", "http://x/marker-referer", "X-Forwarded-For", "marker-hop")
	b.get("/settings/operators/marker-path")
	b.get("/marker-nowhere")
	b.send("MARKER", "/marker-method", nil)
	b.login("marker-form@example.com", "marker-password").want(http.StatusUnauthorized)
	b.get("/account", "Cookie", "efface=marker-cookie; efface-next=marker")
	log := st.log.String()
	if strings.Contains(strings.ToLower(log), "marker") || strings.Contains(log, "127.0.0.1") {
		t.Errorf("the log says %s", log)
	}
	if !strings.Contains(log, "method=GET route=/settings/operators/{id} status=404") {
		t.Errorf("the route is not named: %s", log)
	}
}

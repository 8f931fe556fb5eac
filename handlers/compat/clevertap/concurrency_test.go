package clevertap_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/efface/efface/handlers"
)

const (
	emptyCall  = `{"identity":[]}`
	concurrent = `{"status":"fail","error":"Too many concurrent requests","code":429}`
)

// halfSent is a request of which the server has the headers alone.
type halfSent struct {
	t       *testing.T
	conn    net.Conn
	answers *bufio.Reader
}

// begin sends headers. They ask the server to say when it wants the body, so
// that an answer of 100 tells that the request is under way.
func (sc *scene) begin(account, passcode string) (*halfSent, int) {
	sc.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(sc.URL, "http://"))
	if err != nil {
		sc.t.Fatal(err)
	}
	sc.t.Cleanup(func() { _ = conn.Close() }) // some have ended before
	h := &halfSent{sc.t, conn, bufio.NewReader(conn)}
	h.send("POST %s HTTP/1.1\r\nHost: efface\r\nX-CleverTap-Account-Id: %s\r\nX-CleverTap-Passcode: %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
		path, account, passcode, len(emptyCall))
	res, text := h.answer()
	if res.StatusCode == http.StatusTooManyRequests && (text != concurrent || res.Header.Get("Retry-After") != "1") {
		sc.t.Errorf("it is answered %s, to be tried again after %q", text, res.Header.Get("Retry-After"))
	}
	return h, res.StatusCode
}

func (h *halfSent) send(format string, args ...any) {
	h.t.Helper()
	if _, err := fmt.Fprintf(h.conn, format, args...); err != nil {
		h.t.Fatal(err)
	}
}

func (h *halfSent) answer() (*http.Response, string) {
	h.t.Helper()
	res, err := http.ReadResponse(h.answers, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return res, string(text)
}

// end sends the body.
func (h *halfSent) end() {
	h.t.Helper()
	h.send("%s", emptyCall)
	if res, text := h.answer(); res.StatusCode != http.StatusOK {
		h.t.Errorf("it is answered %s", text)
	}
}

func limited(n int) func(*handlers.Config) {
	return func(c *handlers.Config) { c.CleverTapConcurrency = n }
}

func TestAnAccountHasFifteenRequestsAtOnce(t *testing.T) {
	sc := newScene(t, limited(handlers.DefaultCleverTapConcurrency))
	keys := []string{sc.Key(), sc.NewKey(passcode("second", account))}
	var underWay []*halfSent
	begin := func(want int) {
		t.Helper()
		h, status := sc.begin(account, keys[len(underWay)%2])
		if status != want {
			t.Fatalf("with %d under way the next is answered %d, want %d", len(underWay), status, want)
		}
		if status == http.StatusContinue {
			underWay = append(underWay, h)
		}
	}
	for range 15 {
		begin(http.StatusContinue)
	}
	begin(http.StatusTooManyRequests)
	begin(http.StatusTooManyRequests) // a refused one takes no place
	if _, status := sc.begin("OTHER", sc.NewKey(passcode("other-account", "OTHER"))); status != http.StatusContinue {
		t.Errorf("another account is answered %d", status)
	}
	if _, status := sc.begin(account, "x"); status != http.StatusUnauthorized {
		t.Errorf("without a passcode it is answered %d", status)
	}

	underWay[14].end()
	underWay = underWay[:14]
	begin(http.StatusContinue)
	begin(http.StatusTooManyRequests)
}

func TestARequestThatBreaksOffGivesItsPlaceBack(t *testing.T) {
	sc := newScene(t, limited(1))
	h, _ := sc.begin(account, sc.Key())
	if res, text := sc.post(emptyCall); res.StatusCode != http.StatusTooManyRequests || text != concurrent {
		t.Fatalf("a second at once is answered %s", text)
	}
	if err := h.conn.Close(); err != nil {
		t.Fatal(err)
	}
	for { // until the server has noticed
		res, text := sc.post(emptyCall)
		if res.StatusCode == http.StatusOK {
			break
		}
		if res.StatusCode != http.StatusTooManyRequests {
			t.Fatalf("it is answered %s", text)
		}
	}
	if res, text := sc.post("no JSON"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("what is wrong is answered %s", text)
	}
	if res, text := sc.post(emptyCall); res.StatusCode != http.StatusOK {
		t.Errorf("after one that was refused it is answered %s", text)
	}
}

func TestWithoutALimitAnAccountHasAnyNumberAtOnce(t *testing.T) {
	sc := newScene(t, limited(0))
	for range handlers.DefaultCleverTapConcurrency + 1 {
		if _, status := sc.begin(account, sc.Key()); status != http.StatusContinue {
			t.Fatalf("it is answered %d", status)
		}
	}
}

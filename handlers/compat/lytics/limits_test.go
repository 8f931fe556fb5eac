package lytics_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/handlers/compat/compattest"
	"github.com/efface/efface/handlers/compat/lytics"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

const (
	batchRoute = "POST /v2/identity/delete"
	queueRoute = "DELETE /v2/identity/queue/bulk/user/email"
)

// call sends a body with the key and expects a status and a part of the answer.
func (sc *scene) call(route, body string, status int, part string) http.Header {
	sc.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	r, err := http.NewRequestWithContext(sc.t.Context(), method, sc.URL+path, strings.NewReader(body))
	if err != nil {
		sc.t.Fatal(err)
	}
	r.Header.Set("Authorization", sc.Key())
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		sc.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status || !strings.Contains(string(text), part) {
		sc.t.Errorf("%s: %s %.300s, %v, want %d %s", route, res.Status, text, err, status, part)
	}
	return res.Header
}

// valuesOf makes a body of so many values.
func valuesOf(n int) string {
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprintf(`"p%d@example.com"`, i)
	}
	return `{"table":"user","field":"email","values":[` + strings.Join(values, ",") + `]}`
}

func TestACallMayAskForTenThousand(t *testing.T) {
	sc := newScene(t)
	storetest.Identify(t, sc.DB, "crm", "email", "p9999@example.com")
	sc.call(batchRoute, valuesOf(10_001), http.StatusBadRequest, `"code":"BADREQ-001","message":"Give 1 to 10,000 values in a call."`)
	sc.call(queueRoute, valuesOf(10_001), http.StatusBadRequest, `"code":"BADREQ-001","message":"Give 1 to 10,000 values in a call."`)
	if page, _, err := sc.DB.Submissions(t.Context(), "", 1); err != nil || len(page) > 0 {
		t.Errorf("a refused call has queued %v, %v", page, err)
	}
	sc.call(batchRoute, valuesOf(10_000), http.StatusAccepted, `"profiles_requested":10000,"profiles_deleted":0,"status":"pending"`)
	sc.call(queueRoute, valuesOf(10_000), http.StatusAccepted, `"successes":{"p9999@example.com":"er_`)
}

func TestABodyIsLimitedUnpacked(t *testing.T) {
	sc := newScene(t)
	long := valuesOf(1)[:len(valuesOf(1))-1] + strings.Repeat(" ", 1<<20) + "}"
	for _, route := range []string{batchRoute, queueRoute} {
		for _, body := range []string{long, compattest.Packed(t, long)} {
			sc.call(route, body, http.StatusRequestEntityTooLarge, `"code":"BADREQ-001"`)
		}
		sc.call(route, compattest.Packed(t, valuesOf(10))[:40], http.StatusBadRequest, `"code":"BADREQ-001"`)
	}
}

func TestAKeyOverItsRateWaits(t *testing.T) {
	sc := newScene(t, func(c *handlers.Config) { c.RatePerKey = 0.001 })
	sc.call("GET /v2/identity/delete/status", "", http.StatusOK, `"data":[]`)
	if h := sc.call("GET /v2/identity/delete/status", "", http.StatusTooManyRequests, `"code":"BADREQ-001"`); h.Get("Retry-After") == "" {
		t.Error("it does not say for how long")
	}
}

func TestAnErrorInsideSaysNothingOfItself(t *testing.T) {
	w := httptest.NewRecorder()
	known := lytics.Refuse(w, errors.New("ann@example.com"), "r3f")
	if text := w.Body.String(); known || w.Code != http.StatusInternalServerError || strings.Contains(text, "ann") ||
		!strings.Contains(text, `"request_id":"r3f"`) || !strings.Contains(text, `"code":"INTERNAL-019"`) {
		t.Errorf("known is %v, and it says %d %s", known, w.Code, text)
	}
	if w = httptest.NewRecorder(); !lytics.Refuse(w, erasure.Errorf(erasure.CodeNotFound, "Nobody."), "r3f") || w.Code != http.StatusNotFound {
		t.Errorf("nobody is %d %s", w.Code, w.Body)
	}
}

package june_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/efface/efface/handlers/compat/june"
	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// answers has every member that one of June's answers has.
type answers struct {
	Status   int
	Success  bool
	Error    string
	Page     int
	Total    *int
	Requests []listedRequest
	Request  listedRequest
}

type listedRequest struct {
	ID     string
	UserID *string `json:"user_id"`
}

// fuzzed is a handler with a key for it. It stands alone, so that a fuzzer
// spends its time there.
func fuzzed(f *testing.F) (h *june.Handler, token string) {
	f.Helper()
	db := storetest.Open(f)
	storetest.Identify(f, db, "crm", "user_id", "abcd-256")
	token, _, err := db.CreateKey(f.Context(), erasure.System, store.NewKey{Name: "fuzz", Scopes: []erasure.Scope{erasure.ScopeJune}})
	if err != nil {
		f.Fatal(err)
	}
	return june.New(db, wire.NewLimiter(0, 0), func() {}), token
}

// answered reads an answer, which is of June's form whatever was sent.
func answered(t *testing.T, sent any, w *httptest.ResponseRecorder, err error) (a answers) {
	t.Helper()
	if err != nil && !june.Refuse(w, err, "reference") {
		t.Fatalf("%q fails inside: %v", sent, err)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Status != w.Code || a.Success != (w.Code == http.StatusOK) || a.Success != (a.Error == "") {
		t.Fatalf("%q is answered %d %s", sent, w.Code, w.Body)
	}
	return a
}

// FuzzUserDeletionRequest sends any body. What is queued, encoding/json reads
// as the same user_id, though it is more lenient.
func FuzzUserDeletionRequest(f *testing.F) {
	for _, seed := range []string{
		`{"user_id":"abcd-256"}`, `{"user_id":"nobody","x":[{"y":null}]}`, `{"user_id":"a","user_id":"b"}`, `{"User_Id":"a"}`,
		`{"user\u005fid":"abcd\u002d256"}`, `{"user_id":"\ud800"}`, `{"user_id":"a\u0000"}`, "{\"user_id\":\"\xff\"}",
		`{"user_id":"a"} {"user_id":"b"}`, `{"user_id":7}`, `{"user_id":null}`, `{"group_id":"acme"}`, `["a"]`,
		strings.Repeat(`[`, 40), `{"a":` + strings.Repeat(`{"a":`, 40), "\x1f\x8b\x08\x00", `null`, ``, `"`, `{`,
	} {
		f.Add([]byte(seed))
	}
	h, token := fuzzed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
		r.Header.Set("Authorization", "Basic "+token)
		w := httptest.NewRecorder()
		a := answered(t, body, w, h.RequestUser(w, r))
		if !a.Success || body[0] == 0x1f {
			return
		}
		var read struct {
			UserID string `json:"user_id"`
		}
		err := json.Unmarshal(body, &read)
		if err != nil || !utf8.Valid(body) || a.Request.UserID == nil || *a.Request.UserID != erasure.CleanPaste(read.UserID) {
			t.Errorf("%q is queued: %s", body, w.Body)
		}
	})
}

// FuzzUserDeletionRequests asks for a list with any query. A list is answered
// for the page that was asked for, or refused.
func FuzzUserDeletionRequests(f *testing.F) {
	for _, seed := range []string{
		"", "page=1", "page=2&state=started", "state=requested", "state=finished&page=9223372036854775807", "page=9223372036854775808", "page=0",
		"page=-1", "page=%31", "page=1;state=started", "state=cancelled", "state=", "state=started&state=started", "%zz", "page=1&page", "\x00", "state[]=x",
	} {
		f.Add(seed)
	}
	h, token := fuzzed(f)
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorisation", "Basic "+token)
		w := httptest.NewRecorder()
		a := answered(t, query, w, h.ListUsers(w, r))
		if !a.Success {
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil || a.Page < 1 || !values.Has("page") && a.Page != 1 || a.Total == nil || *a.Total != len(a.Requests) {
			t.Errorf("%q is answered %s", query, w.Body)
		}
	})
}

// FuzzAuthorization sends any header in the place of a key. Nobody guesses
// one, so none opens.
func FuzzAuthorization(f *testing.F) {
	h, _ := fuzzed(f)
	for _, seed := range []string{
		"", "Basic", "Basic ", "Basic efk_x", "Basic bm90aGluZw==", "Bearer x", "Basic :", "Basic Og==", "basic\tx", "Basic \xff", "Basic ====",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{header}
		w := httptest.NewRecorder()
		if a := answered(t, header, w, h.ListUsers(w, r)); a.Status != http.StatusUnauthorized {
			t.Errorf("%q is answered %s", header, w.Body)
		}
	})
}

package clevertap_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/efface/efface/handlers/compat/clevertap"
	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// FuzzDeleteProfiles sends any body. Whatever it is, the answer is one of the
// contract's, what is refused queues nothing, and what is accepted is read by
// encoding/json, which is more lenient, as one list of strings, too.
func FuzzDeleteProfiles(f *testing.F) {
	for _, seed := range []string{
		`{"identity":"ann"}`, `{"identity":["ann","bob","bob"]}`, `{"guid":"g-1"}`, `{"guid":["g-1","g-2"],"x":[{"y":null}]}`,
		`{"identity":[]}`, `{"guid":[]}`, `{"identity":["ann"],"guid":[]}`, `{"identity":"ann","identity":"bob"}`, `{"Identity":"ann"}`,
		`{"identity":null}`, `{"identity":["ann",null]}`, `{"identity":["ann",7]}`, `{"guid":{"guid":"g-1"}}`, `{"guid":[["g-1"]]}`,
		`{"identity":"ann"} {"guid":"g-1"}`, `{"identit\u0079":"\u0061nn"}`, `{"identity":"\ud800"}`, `{"identity":"a\u0000"}`, `{"identity":"\u200b"}`,
		"{\"identity\":\"\xff\"}", `{"identity":["ann"` + strings.Repeat(`,"x"`, 100) + `]}`,
		strings.Repeat(`[`, 40), `{"a":` + strings.Repeat(`{"a":`, 40), "\x1f\x8b\x08\x00", `["ann"]`, `null`, ``, `"`, `{`,
	} {
		f.Add([]byte(seed))
	}
	db := storetest.Open(f)
	storetest.Identify(f, db, "crm", "user_id", "ann", "clevertap_id", "g-1")
	token, _, err := db.CreateKey(f.Context(), erasure.System,
		store.NewKey{Name: "fuzz", Scopes: []erasure.Scope{erasure.ScopeCleverTap}, AccountID: account})
	if err != nil {
		f.Fatal(err)
	}
	h := clevertap.New(db, wire.NewLimiter(0, 0), 1, func() {})
	f.Fuzz(func(t *testing.T, body []byte) {
		before := requests(t, db)
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(string(body)))
		r.Header.Set("X-CleverTap-Account-Id", account)
		r.Header.Set("X-CleverTap-Passcode", token)
		w := httptest.NewRecorder()
		if err := h.Request(w, r); err != nil && !clevertap.Refuse(w, err, "reference") {
			t.Fatalf("%q fails inside: %v", body, err)
		}
		checkAnswer(t, body, w)
		if made := requests(t, db) - before; w.Code != http.StatusOK && made > 0 {
			t.Errorf("%q is refused, and %d requests were made", body, made)
		}
	})
}

func requests(t *testing.T, db *store.DB) int {
	t.Helper()
	g, err := db.Gauges(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return g.Requests[erasure.Pending]
}

func checkAnswer(t *testing.T, body []byte, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code != http.StatusOK {
		var answer struct {
			Status, Error string
			Code          int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Status != "fail" || answer.Error == "" || answer.Code != w.Code {
			t.Fatalf("%q is answered %s", body, w.Body)
		}
		return
	}
	if text := w.Body.String(); text != `{"status":"success"}` {
		t.Fatalf("%q is answered %s", body, text)
	}
	if body[0] == 0x1f {
		return // it was packed
	}
	var read struct{ Identity, GUID any }
	if err := json.Unmarshal(body, &read); err != nil || !utf8.Valid(body) || (read.Identity == nil) == (read.GUID == nil) {
		t.Fatalf("%q is accepted", body)
	}
	given := read.Identity
	if given == nil {
		given = read.GUID
	}
	values, many := given.([]any)
	if !many {
		values = []any{given}
	}
	for _, value := range values {
		if s, ok := value.(string); !ok || s == "" {
			t.Errorf("%q is accepted", body)
		}
	}
}

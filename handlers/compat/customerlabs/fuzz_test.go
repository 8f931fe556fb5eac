package customerlabs_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/efface/efface/handlers/compat/customerlabs"
	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// FuzzUserDeletion sends any body. Whatever it is, the answer is one of the
// contract's, tells nothing of the body, and queues only what encoding/json,
// which is more lenient, reads as the same identifier.
func FuzzUserDeletion(f *testing.F) {
	for _, seed := range []string{
		`{"identify_by_key":"email","identify_by_value":"ann@example.com"}`,
		`{"identify_by_key":"phone","identify_by_value":"+49 151 12345678","x":[{"y":null}]}`,
		`{"identify_by_key":"customerlabs_user_id","identify_by_value":"0195f0a0-0000-7000-8000-000000000000"}`,
		`{"identify_by_key":"email","identify_by_key":"phone","identify_by_value":"a"}`,
		`{"Identify_By_Key":"email","identify_by_value":"ann@example.com"}`,
		`{"identify_by_key":"e\u006dail","identify_by_value":"ann\u0040example.com"}`,
		`{"identify_by_key":"email","identify_by_value":"\ud800"}`,
		`{"identify_by_key":"email","identify_by_value":"a\u0000"}`,
		"{\"identify_by_key\":\"email\",\"identify_by_value\":\"\xff\"}",
		`{"identify_by_key":"email"} {"identify_by_value":"a"}`,
		strings.Repeat(`[`, 40), `{"a":` + strings.Repeat(`{"a":`, 40), "\x1f\x8b\x08\x00", `null`, ``, `"`, `{`,
	} {
		f.Add([]byte(seed))
	}
	db := storetest.Open(f)
	storetest.Identify(f, db, "crm", "email", "ann@example.com")
	token, _, err := db.CreateKey(f.Context(), erasure.System, store.NewKey{Name: "fuzz", Scopes: []erasure.Scope{erasure.ScopeCustomerLabs}})
	if err != nil {
		f.Fatal(err)
	}
	h := customerlabs.New(db, wire.NewLimiter(0, 0), func() {})
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/user-deletion/", strings.NewReader(string(body)))
		r.Header.Set("X-API-Key", token)
		w := httptest.NewRecorder()
		if err := h.Request(w, r); err != nil && !customerlabs.Refuse(w, err, "reference") {
			t.Fatalf("%q fails inside: %v", body, err)
		}
		checkAnswer(t, body, w)
	})
}

func checkAnswer(t *testing.T, body []byte, w *httptest.ResponseRecorder) {
	t.Helper()
	var answer struct {
		Success bool
		Message string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Message == "" {
		t.Fatalf("%q is answered %s", body, w.Body)
	}
	if !answer.Success {
		return
	}
	var read struct {
		Key   string `json:"identify_by_key"`
		Value string `json:"identify_by_value"`
	}
	if err := json.Unmarshal(body, &read); err != nil && body[0] != 0x1f || !utf8.Valid(body) && body[0] != 0x1f {
		t.Errorf("%q is queued", body)
	}
}

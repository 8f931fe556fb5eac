package segment_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/efface/efface/handlers/compat/segment"
	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// FuzzBatch sends any body. It is answered in the form that SDKs read, and what
// is accepted encoding/json reads as events with an id, though it is more lenient.
func FuzzBatch(f *testing.F) {
	for _, seed := range []string{
		`{"batch":[]}`, `{"batch":[{"type":"track","userId":"u-1","event":"x","messageId":"m"}],"sentAt":"2026-01-31T12:00:00Z"}`,
		`{"batch":[{"type":"identify","anonymousId":7,"traits":{"email":"a@b.example","phone":1}}],"context":{"traits":{"fbp":"x"},"library":null},"timestamp":"2026-01-31"}`,
		`{"batch":[{"type":"group","userId":"1","groupId":2},{"type":"alias","userId":"1","previousId":"2"},{"type":"page"},7]}`,
		`{"batch":[{"type":"screen","userId":"1","context":{"externalIds":[{"id":"1","type":"x","collection":"users"}]}}],"context":{"ip":"x"}}`,
		`{"batch":[{"type":"page","userId":"1","userId":"2"}]}`, `{"Batch":[]}`, `{"batch":[{"type":"page","userId":"\u0000"}]}`,
		`{"batch":[{"type":"page","userId":"\ud800"}]}`, "{\"batch\":[\"\xff\"]}", `{"batch":[]} []`, `{"batch":{}}`, `[]`, `{`, ``, `"`, `null`,
		"\x1f\x8b\x08\x00", `{"batch":` + strings.Repeat("[", 40), `{"writeKey":null,"batch":[null]}`,
	} {
		f.Add([]byte(seed))
	}
	db := storetest.Open(f)
	token, _, err := db.CreateKey(f.Context(), erasure.System, store.NewKey{Name: "fuzz", Scopes: []erasure.Scope{erasure.ScopeIngest}})
	if err != nil {
		f.Fatal(err)
	}
	h := segment.New(db, wire.NewLimiter(0, 0))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
		r.Header.Set("Authorization", "Basic "+token)
		w := httptest.NewRecorder()
		if err := h.Batch(w, r); err != nil && !segment.Refuse(w, err, "reference") {
			t.Fatalf("%q fails inside: %v", body, err)
		}
		answer, err := io.ReadAll(w.Body)
		if err != nil || !json.Valid(answer) || w.Code != 200 && w.Code != 400 || (w.Code == 200) != (string(answer) == `{"success": true}`) {
			t.Fatalf("%q is answered %d %s", body, w.Code, answer)
		}
		if w.Code != 200 || body[0] == 0x1f {
			return
		}
		var read struct {
			Batch []struct{ UserID, AnonymousID json.RawMessage }
		}
		if err := json.Unmarshal(body, &read); err != nil {
			t.Fatalf("%q is accepted, and is no batch: %v", body, err)
		}
		for _, e := range read.Batch {
			if none := []string{"", "null", `""`}; slices.Contains(none, string(e.UserID)) && slices.Contains(none, string(e.AnonymousID)) {
				t.Errorf("%q is accepted, and tells of nobody", body)
			}
		}
	})
}

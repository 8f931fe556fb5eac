package lytics_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// served is what answers for a store that knows one person.
func served(f *testing.F) (front http.Handler, token string) {
	f.Helper()
	db := storetest.Open(f)
	storetest.Identify(f, db, "crm", "email", "ann@example.com", "user_id", "a/1")
	token, _, err := db.CreateKey(f.Context(), erasure.System, store.NewKey{Name: "fuzz", Scopes: []erasure.Scope{erasure.ScopeLytics}})
	if err != nil {
		f.Fatal(err)
	}
	s, err := handlers.New(db, handlers.Config{BaseURL: "http://localhost"})
	if err != nil {
		f.Fatal(err)
	}
	return s.Handler(), token
}

// said reads an answer, which has the form of every answer.
func said(t *testing.T, w *httptest.ResponseRecorder) (data json.RawMessage) {
	t.Helper()
	var a struct {
		Status  int
		Message string
		Data    json.RawMessage
		Errors  []struct{ Code, Message, Level, Timestamp string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Status != w.Code || a.Message == "" {
		t.Fatalf("the answer is %d %s", w.Code, w.Body)
	}
	if failed := w.Code >= 300; failed != (len(a.Errors) == 1) || failed != (a.Data == nil) || w.Code >= 500 {
		t.Fatalf("the answer is %d %s", w.Code, w.Body)
	}
	return a.Data
}

// FuzzPath sends any path. It asks for somebody only where each of its segments,
// decoded once, says so.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"user/email/ann@example.com", "user/email/ann%40example.com/", "user/user_id/a%2F1", "user/user_id/a%252F1", "user/user_id/a/1",
		"user/email/ann@example.com/%2F", "user/email/ann@example.com//", "user//ann@example.com", "user/email/%2F", "%75ser/e%6dail/ANN@example.com",
		"group/email/ann@example.com", "user/_uid/0195f0a0-0000-7000-8000-000000000000", "queue/bulk/user", "delete/status/x", "user/email/%00",
		"user/email/%ff", "user/../user/email/ann@example.com", "user/email/ann@example.com?key=x", "user/email/ann@example.com?a=%zz", "..", "%2e%2e/%2e",
	} {
		f.Add(seed)
	}
	front, token := served(f)
	f.Fuzz(func(t *testing.T, path string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("DELETE /v2/identity/" + path + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + token + "\r\n\r\n")))
		if err != nil || !strings.HasPrefix(r.URL.Path, "/v2/identity/") || r.Method != http.MethodDelete {
			return // net/http refuses it
		}
		w := httptest.NewRecorder()
		front.ServeHTTP(w, r)
		said(t, w)
		if means := asks(path); w.Code == http.StatusAccepted && !means {
			t.Errorf("%q is queued", path)
		}
	})
}

// asks reads a path on its own: three segments, each decoded once.
func asks(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	path, _, _ = strings.Cut(path, " ")
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")
	for i, s := range segments {
		decoded, err := url.PathUnescape(s)
		if err != nil {
			return false
		}
		segments[i] = decoded
	}
	if len(segments) != 3 || segments[0] != "user" {
		return false
	}
	value := strings.ToLower(erasure.CleanPaste(segments[2]))
	return segments[1] == "email" && value == "ann@example.com" || segments[1] == "user_id" && erasure.CleanPaste(segments[2]) == "a/1"
}

// FuzzBatch sends any body to both routes for many. They queue only what
// encoding/json, which is more lenient, reads as values too.
func FuzzBatch(f *testing.F) {
	for _, seed := range []string{
		`{"table":"user","field":"email","values":["ann@example.com"]}`, `{"identities":[{"table":"user","field":"email","value":"ann@example.com"}]}`,
		`{"values":["ann@example.com",null,1e400,true,"","ann@example.com"]}`, `{"values":["a"],"values":["ann@example.com"]}`,
		`{"Values":["ann@example.com"]}`, `["ann@example.com"]`, `{"values":{"a":1}}`, `{"values":[["a"]]}`, `{"values":["\ud800"]}`,
		"{\"values\":[\"\xff\"]}", `{"values":["a\u0000"]}`, `{"values":["a"]} {}`, `{"identities":[{"table":"user","table":"group"}]}`,
		`{"table":"group","field":"_uid","values":["x"]}`, `{"identities":null}`, `{"values":[`, strings.Repeat(`[`, 40), "\x1f\x8b\x08\x00", `null`, ``,
	} {
		f.Add([]byte(seed))
	}
	front, token := served(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, route := range []string{"POST /v2/identity/delete", "DELETE /v2/identity/queue/bulk/user/email"} {
			method, path, _ := strings.Cut(route, " ")
			r := httptest.NewRequest(method, path, strings.NewReader(string(body)))
			r.Header.Set("Authorization", token)
			w := httptest.NewRecorder()
			front.ServeHTTP(w, r)
			data := said(t, w)
			if w.Code != http.StatusAccepted || body[0] == 0x1f {
				continue
			}
			var read struct{ Values, Identities []json.RawMessage }
			if err := json.Unmarshal(body, &read); err != nil || !utf8.Valid(body) || len(read.Values)+len(read.Identities) == 0 {
				t.Errorf("%s takes %q: %s", route, body, data)
			}
			once(t, data)
		}
	})
}

// once fails where an answer has a name twice.
func once(t *testing.T, data json.RawMessage) {
	t.Helper()
	if err := (erasure.JSONContract{}).Check(data); err != nil {
		t.Errorf("%v\n%s", err, data)
	}
}

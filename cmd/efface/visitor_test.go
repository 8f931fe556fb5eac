package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store/storetest"
)

// visitor sends requests to a server, as a browser with its cookies or as a
// script with a key.
type visitor struct {
	base   string
	key    string
	client *http.Client
}

func newVisitor(t *testing.T, base, key string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{base, key, &http.Client{
		Jar: jar, Transport: transport, Timeout: storetest.LongEnough,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is what a server said, read whole.
type answer struct {
	status int
	header http.Header
	body   string
	asked  time.Time // before the request was sent
	got    time.Time // after the answer was read
}

// send gives an error where the answer did not come whole: then nobody knows
// what the server did.
func (v *visitor) send(method, path string, body io.Reader, header ...string) (a answer, err error) {
	r, err := http.NewRequest(method, v.base+path, body)
	if err != nil {
		return a, err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	a.asked = time.Now()
	res, err := v.client.Do(r)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	a.status, a.header, a.body, a.got = res.StatusCode, res.Header, string(b), time.Now()
	return a, err
}

// api calls a route of a script; v is the JSON to send, or nil.
func (v *visitor) api(method, path string, body any, header ...string) (answer, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		r = strings.NewReader(string(b))
	}
	return v.send(method, path, r, append([]string{"Authorization", "Bearer " + v.key, "X-API-Key", v.key}, header...)...)
}

// form sends a page's form.
func (v *visitor) form(path string, pairs ...string) (answer, error) {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return v.send("POST", path, strings.NewReader(values.Encode()),
		"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
}

// seen looks at what goes with a profile, and returns what its form says of it.
func (v *visitor) seen(profile string) string {
	a, err := v.send("GET", profile+"/delete", nil)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(a.body, `name="seen" value="`)
	seen, _, _ := strings.Cut(rest, `"`)
	return seen
}

// want fails unless the server answered with a status.
func want(t *testing.T, status int, what string) func(a answer, err error) answer {
	return func(a answer, err error) answer {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if a.status != status {
			t.Fatalf("%s: got %d, want %d\n%s", what, a.status, status, a.body)
		}
		return a
	}
}

// decode reads an answer's JSON.
func decode[T any](t *testing.T, a answer) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("reading %q: %v", a.body, err)
	}
	return v
}

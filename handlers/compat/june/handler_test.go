package june_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/efface/efface/handlers/compat/compattest"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

const (
	requestUser = "/api/platform/data_management/user_deletion_request"
	listUsers   = "/api/platform/data_management/user_deletion_requests"
)

// call sends a body with the key and reads the answer.
func (sc *scene) call(method, path, body string) (a answers) {
	sc.t.Helper()
	res, text := sc.Send(method, path, body, [2]string{"Authorization", "Basic " + sc.Key()})
	if err := json.Unmarshal([]byte(text), &a); err != nil || a.Status != res.StatusCode {
		sc.t.Fatalf("%s %s is answered %d %s", method, path, res.StatusCode, text)
	}
	return a
}

func TestABodyMayBeGzipAndIsLimitedUnpacked(t *testing.T) {
	sc := newScene(t)
	const body = `{"user_id":"abcd-256"}`
	long := strings.Repeat(" ", 1<<20) + body
	for _, c := range []struct {
		body   string
		status int
	}{
		{compattest.Packed(t, body), http.StatusOK}, {compattest.Packed(t, body)[:30], http.StatusBadRequest}, {long, http.StatusRequestEntityTooLarge},
		{compattest.Packed(t, long), http.StatusRequestEntityTooLarge}, {`{"user_id":"` + strings.Repeat("a", erasure.ValueLength) + `"}`, http.StatusOK},
		{`{"user_id":"` + strings.Repeat("a", erasure.ValueLength+1) + `"}`, http.StatusBadRequest},
	} {
		if a := sc.call("POST", requestUser, c.body); a.Status != c.status {
			t.Errorf("a body of %d bytes is answered %+v, want %d", len(c.body), a, c.status)
		}
	}
}

func TestJSONWithTwoReadingsQueuesNothing(t *testing.T) {
	sc := newScene(t)
	for what, body := range map[string]string{
		"data after the end":    `{"user_id":"a"} {}`,
		"invalid UTF-8":         "{\"user_id\":\"a\",\"x\":\"\xff\"}",
		"half a surrogate":      `{"user_id":"\ud800"}`,
		"an escaped NUL":        `{"user_id":"a\u0000"}`,
		"a raw NUL":             "{\"user_id\":\"a\x00\"}",
		"nesting over 32":       `{"user_id":"a","x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`,
		"a name twice":          `{"user_id":"a","x":{"b":1,"b":2}}`,
		"a name twice, escaped": `{"user_id":"a","user\u005fid":"b"}`,
		"a byte order mark":     "\ufeff{\"user_id\":\"a\"}",
		"a comment":             `{"user_id":"a"} // done`,
	} {
		if a := sc.call("POST", requestUser, body); a.Status != http.StatusBadRequest {
			t.Errorf("%s is answered %+v", what, a)
		}
	}
	if a := sc.call("GET", listUsers, ""); *a.Total != 0 {
		t.Errorf("%d requests were queued", *a.Total)
	}
}

func TestNothingPersonalIsLoggedOrToldInAnError(t *testing.T) {
	sc := newScene(t)
	said := ""
	for _, body := range []string{`{"user_id":"marker-1"}`, `{"user_id":["marker-2"]}`, `{"marker-3":1}`, `{"user_id":"marker-4`, `{"User_ID":"marker-5"}`,
		`{"user_id":"` + strings.Repeat("marker-6", 200) + `"}`, `marker-7`} {
		for _, path := range []string{requestUser, requestUser + "/marker-8", requestUser + "?user_id=marker-9"} {
			said += sc.call("POST", path, body).Error
		}
	}
	said += sc.call("GET", listUsers+"?state=marker-10", "").Error + sc.call("GET", listUsers+"?page=marker-11", "").Error
	sc.call("GET", listUsers, "")
	if log := sc.Log.String(); log == "" || strings.Contains(log+said, "marker") || strings.Contains(log, sc.Key()) {
		t.Errorf("the log or an error tells a marker:\n%s\n%s", log, said)
	}
}

// What was asked for is suppressed, also where nobody had the id.
func TestWhatIsDeletedIsNotCollectedAgain(t *testing.T) {
	sc := newScene(t)
	sc.Replay("! know user_id u-1 email ann@example.com")
	for _, id := range []string{"u-1", "u-9"} {
		if a := sc.call("POST", requestUser, fmt.Sprintf(`{"user_id":%q}`, id)); !a.Success {
			t.Fatalf("the answer is %+v", a)
		}
	}
	sc.Replay("! wait 24h\n! erase")
	for _, id := range []string{"u-1", "u-9"} {
		if got := storetest.Identify(t, sc.DB, "crm", "user_id", id); got.Outcome != store.Suppressed {
			t.Errorf("what comes of %s is %s", id, got.Outcome)
		}
	}
}

func TestAPageHasFiftyRequestsAndALookAtEachPerson(t *testing.T) {
	sc := newScene(t)
	for n := range 51 {
		sc.call("POST", requestUser, fmt.Sprintf(`{"user_id":"u-%d"}`, n))
	}
	seen := map[string]bool{}
	for page, want := range []int{50, 1, 0} {
		a := sc.call("GET", fmt.Sprintf("%s?page=%d", listUsers, page+1), "")
		if len(a.Requests) != want || *a.Total != 51 || a.Page != page+1 {
			t.Errorf("page %d is page %d with %d of %d requests", page+1, a.Page, len(a.Requests), *a.Total)
		}
		for _, r := range a.Requests {
			seen[*r.UserID] = true
		}
	}
	if len(seen) != 51 {
		t.Errorf("the pages show %d users", len(seen))
	}
	looks := 0
	for cursor, more := "", true; more; more = cursor != "" {
		entries, next, err := sc.DB.Activity(t.Context(), cursor, 50)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Kind == erasure.ProfileViewed {
				looks++
			}
		}
		cursor = next
	}
	if looks != 51 {
		t.Errorf("%d looks are logged", looks)
	}
}

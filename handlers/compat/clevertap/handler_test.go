package clevertap_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/handlers/compat/compattest"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

const path = "/1/delete/profiles.json"

// post sends a body with the live passcode.
func (sc *scene) post(body string, header ...[2]string) (*http.Response, string) {
	sc.t.Helper()
	return sc.Send("POST", path, body, append(header, [2]string{"X-CleverTap-Account-Id", account}, [2]string{"X-CleverTap-Passcode", sc.Key()})...)
}

func TestABodyMayBePacked(t *testing.T) {
	sc := newScene(t)
	body := compattest.Packed(t, `{"identity":["a","b"]}`)
	for _, header := range [][][2]string{{{"Content-Encoding", "gzip"}}, {{"Content-Type", "application/x-www-form-urlencoded"}}} {
		if res, text := sc.post(body, header...); res.StatusCode != http.StatusOK {
			t.Errorf("it is answered %s", text)
		}
	}
	if states := sc.States(); len(states) != 2 {
		t.Errorf("the requests are %v", states)
	}
	if res, text := sc.post(body[:len(body)-9]); res.StatusCode != http.StatusBadRequest {
		t.Errorf("cut off, it is answered %s", text)
	}
}

func TestWhatIsTooLongIsRefusedWhole(t *testing.T) {
	sc := newScene(t)
	long := `{"identity":["a","` + strings.Repeat("x", erasure.ValueLength+1) + `"]}`
	large := `{"identity":["a"],"x":"` + strings.Repeat("x", 1<<20) + `"}`
	for _, c := range []struct {
		body, answer string
		status       int
	}{
		{long, `{"status":"fail","error":"Give each identity as visible text of 1024 bytes at most; number 2 is not.","code":400}`, 400},
		{large, `{"status":"fail","error":"Send 1048576 bytes at most, counted unpacked.","code":413}`, 413},
		{compattest.Packed(t, large), `{"status":"fail","error":"Send 1048576 bytes at most, counted unpacked.","code":413}`, 413},
		{"{\"identity\":[\"a\",\"\xff\"]}", `{"status":"fail","error":"Write the JSON as UTF-8 text; it is not at byte 19.","code":400}`, 400},
	} {
		// A server that wants no more closes the connection; a client that waits to be asked still reads why.
		if res, text := sc.post(c.body, [2]string{"Expect", "100-continue"}); res.StatusCode != c.status || text != c.answer {
			t.Errorf("it is answered %d %s, want %d %s", res.StatusCode, text, c.status, c.answer)
		}
	}
	if states := sc.States(); len(states) != 0 {
		t.Errorf("the requests are %v", states)
	}
}

func (sc *scene) held(userID string) int {
	sc.t.Helper()
	found, err := sc.DB.Find(sc.t.Context(), storetest.Identifiers("user_id", userID)[0])
	if err != nil {
		sc.t.Fatal(err)
	}
	return len(found)
}

func TestWhoeverAppearsInTheWindowIsErasedAndMayComeAgain(t *testing.T) {
	sc := newScene(t)
	storetest.Identify(t, sc.DB, "crm", "user_id", "ann")
	sc.post(`{"identity":["ann","bob"]}`)
	storetest.Identify(t, sc.DB, "crm", "user_id", "bob")
	sc.Replay("! wait 24h\n! erase")
	if ann, bob := sc.held("ann"), sc.held("bob"); ann+bob > 0 {
		t.Errorf("held are %d of ann and %d of bob", ann, bob)
	}
	for _, id := range []string{"ann", "bob"} {
		storetest.Identify(t, sc.DB, "crm", "user_id", id)
		if sc.held(id) != 1 {
			t.Errorf("%s is suppressed", id)
		}
	}
}

func TestABatchSaysForHowManyNobodyWasKnown(t *testing.T) {
	sc := newScene(t)
	storetest.Identify(t, sc.DB, "crm", "user_id", "ann")
	sc.post(`{"identity":["ann","bob","carl"]}`)
	storetest.Identify(t, sc.DB, "crm", "user_id", "carl") // in time
	sc.Replay("! wait 24h\n! erase\n! requests completed completed completed")
	page, _, err := sc.DB.Submissions(t.Context(), "", 1)
	if err != nil || page[0].Batch == nil || page[0].Batch.Nobody != 1 {
		t.Fatalf("got %+v, %v", page, err)
	}
	lytics := sc.NewKey(store.NewKey{Name: "lytics", Scopes: []erasure.Scope{erasure.ScopeLytics}})
	_, text := sc.Send("GET", "/v2/identity/delete/status", "", [2]string{"Authorization", lytics})
	if !strings.Contains(text, `"profiles_requested":3,"profiles_deleted":2,"status":"completed"`) {
		t.Errorf("Lytics' API says %s", text)
	}
}

func TestTheIDsOfACallMakeABatch(t *testing.T) {
	sc := newScene(t)
	storetest.Identify(t, sc.DB, "crm", "user_id", "ann")
	sc.post(`{"identity":["ann","bob","ann"]}`)
	rs, _, err := sc.DB.Requests(t.Context(), erasure.RequestFilter{})
	if err != nil || len(rs) != 2 || rs[0].Batch == nil || rs[1].Batch == nil || *rs[0].Batch != *rs[1].Batch {
		t.Fatalf("got %+v, %v", rs, err)
	}
	b, err := sc.DB.Batch(t.Context(), *rs[0].Batch)
	if err != nil || b.Requested != 3 || b.Matched != 2 || b.Queued() != 2 || b.Origin != erasure.CleverTap || b.RequestedBy != "key:live" {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestNothingOfACallIsLogged(t *testing.T) {
	var log bytes.Buffer
	sc := newScene(t, func(c *handlers.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	said := ""
	for _, body := range []string{
		`{"identity":"marker-1"}`, `{"guid":["marker-2","marker-3"]}`, `{"identity":["marker-4",{"marker-5":1}]}`, `{"marker-6":"marker-7"}`,
		`{"identity":"marker-8","guid":"marker-9"}`, `{"guid":"marker-10`, `marker-11`, `{"identity":["marker-12",""]}`,
	} {
		_, text := sc.post(body)
		said += text
	}
	_, text := sc.Send("POST", "/1/marker-13?x=marker-14", "", [2]string{"X-CleverTap-Account-Id", "marker-15"}, [2]string{"X-CleverTap-Passcode", "marker-16"})
	if said += text; strings.Contains(said, "marker") {
		t.Errorf("the answers are %s", said)
	}
	if got := log.String(); !strings.Contains(got, "route="+path) || strings.Contains(got, "marker") || strings.Contains(got, account) {
		t.Errorf("the log says %s", got)
	}
}

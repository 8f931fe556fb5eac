package segment_test

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

// call sends a body with the key, and expects an answer of this status.
func (sc *scene) call(status int, path, body string) (message string) {
	sc.t.Helper()
	res, text := sc.Send("POST", path, body, [2]string{"Authorization", "Basic " + sc.Words["$BASIC"]})
	var a struct {
		Success       *bool
		Code, Message string
	}
	err := json.Unmarshal([]byte(text), &a)
	if err != nil || res.StatusCode != status || a.Success == nil || *a.Success != (status == http.StatusOK) || *a.Success != (a.Message == "" && a.Code == "") {
		sc.t.Fatalf("%s is answered %d %.300s", path, res.StatusCode, text)
	}
	return a.Message
}

// nobody expects that nothing was stored of anybody by this user_id.
func (sc *scene) nobody(userID string) {
	sc.t.Helper()
	if found, err := sc.DB.Find(sc.t.Context(), storetest.Identifiers("user_id", userID)[0]); err != nil || len(found) > 0 {
		sc.t.Errorf("%s leads to %d profiles, error %v", userID, len(found), err)
	}
}

func TestWhatIsSentIsFoundByEachIdentifier(t *testing.T) {
	sc := newScene(t)
	sc.call(200, "/v1/track", `{"anonymousId":"a-1","event":"Cart viewed"}`)
	sc.call(200, "/v1/identify", `{"userId":7,"anonymousId":"a-1","traits":{"email":"Ann@Example.com","phone":"+49 30 123456"}}`)
	sc.call(200, "/sdk/batch", `{"batch":[{"type":"page","userId":"7","context":{"externalIds":[{"id":"51","type":"hubspot_user_id","collection":"users","encoding":"none"}]}}]}`)
	sc.call(200, "/v1/alias", `{"userId":"7","previousId":"old-7"}`)
	ann := storetest.One(t, sc.DB, "user_id", "7")
	if ann.Records != 2 {
		t.Errorf("there are %d records", ann.Records)
	}
	for key, value := range map[string]string{"anonymous_id": "a-1", "email": "ann@example.com", "phone": "+4930123456", "hubspot_user_id": "51"} {
		if one := storetest.One(t, sc.DB, key, value); one.EffaceID != ann.EffaceID {
			t.Errorf("%s leads to somebody else", key)
		}
	}
}

func TestWhoeverIsRefusedIsToldWhereAKeyStands(t *testing.T) {
	sc := newScene(t)
	for _, header := range [][2]string{{"Authorization", "Bearer " + sc.Key()}, {"Authorization", "Basic " + sc.Words["$OTHER"]}, {"X-Key", sc.Key()}} {
		if res, text := sc.Send("POST", "/v1/page", `{"userId":"u-1"}`, header); res.StatusCode != 401 || !strings.Contains(text, "user name of Basic authentication, or without that header as writeKey") {
			t.Errorf("with %s it is answered %d %s", header[0], res.StatusCode, text)
		}
	}
}

func TestARetryStoresNothingTwice(t *testing.T) {
	sc := newScene(t)
	const one = `{"type":"track","userId":"u-1","event":"Paid","messageId":"m-1"}`
	for range 3 {
		sc.call(200, "/v1/batch", `{"batch":[`+one+`,`+one+`]}`)
		sc.call(200, "/v1/track", one)
		sc.call(400, "/v1/batch", `{"batch":[{"type":"page"},`+one+`]}`)
	}
	if got := storetest.One(t, sc.DB, "user_id", "u-1"); got.Records != 1 {
		t.Errorf("there are %d records", got.Records)
	}
}

func TestARefusedEventStopsNoOtherAndABrokenBodyStopsAll(t *testing.T) {
	sc := newScene(t)
	large := `{"type":"page","userId":"large","x":"` + strings.Repeat("a", 32<<10) + `"}`
	said := sc.call(400, "/v1/batch", `{"batch":[{"type":"page","userId":"first"},`+large+`,{"type":"page"},{"type":"page","userId":"last"}]}`)
	if said != "Shorten the event to 32768 bytes. This is event 2; 2 of 4 are refused, and all others stored." {
		t.Errorf("it says %q", said)
	}
	storetest.One(t, sc.DB, "user_id", "first")
	storetest.One(t, sc.DB, "user_id", "last")
	sc.nobody("large")
	for what, broken := range map[string]string{
		"a name twice":        `{"type":"page","userId":"x","userId":"y"}`,
		"another case":        `{"type":"page","UserId":"x"}`,
		"NUL":                 `{"type":"page","userId":"x","properties":{"a":"\u0000"}}`,
		"nesting":             `{"type":"page","userId":"x","properties":` + strings.Repeat(`{"a":`, 30) + `1` + strings.Repeat(`}`, 31),
		"invalid UTF-8":       "{\"type\":\"page\",\"userId\":\"x\xff\"}",
		"data after the end":  `{"type":"page","userId":"x"}]} {"batch":[7`,
		"what is not written": `{"type":"page","userId":"x"`,
	} {
		if said := sc.call(400, "/v1/batch", `{"batch":[{"type":"page","userId":"whole"},`+broken+`]}`); strings.Contains(said, "stored") {
			t.Errorf("of %s is said %q", what, said)
		}
		sc.nobody("whole")
	}
}

func TestTheLimitsOfEventsAndBatches(t *testing.T) {
	sc := newScene(t)
	event := func(size int) string {
		const head, tail = `{"type":"page","userId":"u-1","x":"`, `"}`
		return head + strings.Repeat("a", size-len(head)-len(tail)) + tail
	}
	batch := func(size int) string { // of events that are small enough
		events := strings.Repeat(event(30<<10)+",", 16)
		left := size - len(`{"batch":[]}`) - len(events)
		return `{"batch":[` + events + event(left) + `]}`
	}
	many := func(n int) string {
		return `{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"type":"page","userId":"u-1"},`, n), ",") + `]}`
	}
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/v1/page", event(32 << 10), 200}, {"/v1/page", event(32<<10 + 1), 400}, {"/v1/page", event(7 << 20), 400},
		{"/v1/batch", batch(500 << 10), 200}, {"/v1/batch", batch(500<<10 + 1), 400}, {"/v1/batch", batch(500<<10) + " ", 400},
		{"/v1/batch", many(2500), 200}, {"/v1/batch", many(2501), 400}, {"/v1/batch", `{"batch":[` + event(32<<10) + `]}`, 200},
	} {
		sc.call(c.status, c.path, c.body)
		sc.call(c.status, c.path, compattest.Packed(t, c.body))
	}
	bomb := compattest.Packed(t, strings.Repeat(" ", 64<<20)+`{"batch":[]}`)
	sc.call(400, "/v1/batch", bomb)
	sc.call(400, "/v1/batch", compattest.Packed(t, `{"batch":[]}`)[:20])
}

// A body that is too long is refused with its reason also where it is the body
// that would hold the key.
func TestALongBodyWithoutAHeaderIsSaidToBeLong(t *testing.T) {
	sc := newScene(t)
	res, text := sc.Send("POST", "/v1/batch", `{"writeKey":"`+sc.Key()+`","batch":[],"x":"`+strings.Repeat("a", 500<<10)+`"}`)
	if res.StatusCode != 400 || !strings.Contains(text, "Send 512000 bytes at most") {
		t.Errorf("it is answered %d %s", res.StatusCode, text)
	}
}

func TestHostileTraitsAreStoredAsTheyAreOrRefused(t *testing.T) {
	sc := newScene(t)
	traits := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"k%d":%d`, i, i)
		}
		return `{"userId":"keys-` + fmt.Sprint(n) + `","traits":{` + b.String()[1:] + `}}`
	}
	sc.call(200, "/v1/identify", traits(1000))
	if said := sc.call(400, "/v1/identify", traits(10000)); !strings.Contains(said, "32768 bytes") {
		t.Errorf("10,000 traits are refused with %q", said)
	}
	sc.nobody("keys-10000")
	said := sc.call(400, "/v1/batch", `{"batch":[`+strings.Replace(traits(10000), `{`, `{"type":"identify",`, 1)+`]}`)
	if !strings.Contains(said, "Shorten the event to 32768 bytes") {
		t.Errorf("10,000 traits in a batch are refused with %q", said)
	}
	nested := func(levels int) string {
		return `{"userId":"deep","traits":{"a":` + strings.Repeat("[", levels-2) + strings.Repeat("]", levels-2) + `}}`
	}
	sc.call(200, "/v1/identify", nested(32))
	sc.call(400, "/v1/identify", nested(33))
	odd := []string{"<script>alert(1)</script>", "\u202eevil\u202c", "👩‍👩‍👧‍👦 ﷽", "'; DROP TABLE profiles; --", strings.Repeat("é", 5000), "{{.}}", "\\u0000 \r\n\t\x7f"}
	for i, value := range odd {
		text, err := json.Marshal(map[string]any{"userId": fmt.Sprintf("odd-%d", i), "traits": map[string]string{value: "x", "note": value}})
		if err != nil {
			t.Fatal(err)
		}
		sc.call(200, "/v1/identify", string(text))
		storetest.One(t, sc.DB, "user_id", fmt.Sprintf("odd-%d", i))
	}
}

func TestOneKeyIsOneSource(t *testing.T) {
	sc := newScene(t)
	for _, name := range []string{"crm", "crm sync", "crm-sync", "Büro 7"} {
		token := sc.NewKey(store.NewKey{Name: name, Scopes: []erasure.Scope{erasure.ScopeIngest}})
		for range 2 { // of one source a message id counts once
			res, text := sc.Send("POST", "/v1/page", `{"userId":"u-1","messageId":"m-1"}`, [2]string{"Authorization", "Basic " + token})
			if res.StatusCode != 200 {
				t.Fatal(text)
			}
		}
	}
	p, err := sc.DB.Profile(t.Context(), erasure.System, storetest.One(t, sc.DB, "user_id", "u-1").EffaceID)
	if err != nil {
		t.Fatal(err)
	}
	if p.Records != 4 {
		t.Errorf("there are %d records of four sources", p.Records)
	}
}

func TestASuppressedPersonIsAnsweredAsAnybody(t *testing.T) {
	sc := newScene(t)
	sc.call(200, "/v1/identify", `{"userId":"u-1","traits":{"email":"ann@example.com"}}`)
	_, _, err := sc.DB.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", "u-1")[0], Suppress: true,
		Origin: erasure.Console, Actor: erasure.System})
	if err != nil {
		t.Fatal(err)
	}
	sc.Replay("! wait 24h\n! erase")
	sc.call(200, "/v1/identify", `{"userId":"u-1","traits":{"email":"ann@example.com"}}`)
	sc.call(200, "/v1/batch", `{"batch":[{"type":"page","userId":"u-1"},{"type":"page","userId":"u-2"}]}`)
	sc.nobody("u-1")
	storetest.One(t, sc.DB, "user_id", "u-2")
}

func TestNothingPersonalIsLoggedOrToldInAnError(t *testing.T) {
	sc := newScene(t)
	said := ""
	for i, body := range []string{`{"userId":["marker-1"]}`, `{"marker-2":1}`, `{"userId":"marker-3`, `{"UserId":"marker-4"}`, `marker-5`,
		`{"userId":"u","timestamp":"marker-6"}`, `{"userId":"u","context":{"externalIds":"marker-7"}}`,
		`{"userId":"` + strings.Repeat("marker-8", 200) + `"}`, `{"userId":"u","type":"marker-9"}`, `{"userId":"u","context":{"externalIds":[{"id":"marker-10","type":"efface_id"}]}}`,
		`{"userId":"u","traits":"marker-11"}`} {
		said += sc.call(400, "/v1/identify", body) + sc.call(400, "/v1/batch", `{"batch":[`+body+`]}`)
		sc.Send("POST", fmt.Sprintf("/v1/marker-%d?marker=%d", 20+i, i), body)
	}
	sc.call(200, "/v1/identify", `{"userId":"marker-12","traits":{"marker-13":"marker-14"}}`)
	if log := sc.Log.String(); log == "" || strings.Contains(log+said, "marker") || strings.Contains(log, sc.Key()) {
		t.Errorf("the log or an error tells a marker:\n%s\n%s", log, said)
	}
}

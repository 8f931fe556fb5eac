package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
)

func parse(t *testing.T, call string) Call {
	t.Helper()
	c, err := ParseCall([]byte(call))
	if err != nil {
		t.Errorf("%s: %v", call, err)
	}
	return c
}

func TestEachKindOfCallGivesWhatItTells(t *testing.T) {
	for _, c := range []struct{ call, identifiers, record string }{
		{`{"type":"identify","userId":"1","traits":{"email":"ann@example.com","phone":4971128,"plan":"gold","n": { "a": [1] },"fbp":null}}`,
			`user_id=1 email=ann@example.com phone=4971128 n:{"a":[1]} plan:"gold"`, ``},
		{`{"type":"identify","userId":"1","traits":{"email":["ann@example.com"],"phone":false}}`,
			`user_id=1 email:["ann@example.com"] phone:false`, ``},
		{`{"type":"identify","anonymousId":"a","userId":null,"traits":null,"context":null,"integrations":{"All":true},"_x":1}`,
			`anonymous_id=a`, ``},
		{`{"type":"track","userId":"1","anonymousId":"a","event":"Paid","timestamp":"2021-01-01T00:00:00Z","properties":{"total": 1.98}}`,
			`user_id=1 anonymous_id=a`, `{"type":"track","event":"Paid","timestamp":"2021-01-01T00:00:00Z","properties":{"total":1.98}}`},
		{`{"type":"track","userId":"1","event":"Paid","context":{"ip":"192.0.2.1","traits":{"email":"ann@example.com","clevertap_id":"g"}}}`,
			`user_id=1 email=ann@example.com clevertap_id=g`,
			`{"type":"track","event":"Paid","context":{"ip":"192.0.2.1","traits":{"email":"ann@example.com","clevertap_id":"g"}}}`},
		{`{"type":"page","userId":"1","name":"Home","category":"Docs","properties":null}`, `user_id=1`, `{"type":"page","name":"Home","category":"Docs"}`},
		{`{"type":"screen","userId":"1","name":"Home"}`, `user_id=1`, `{"type":"screen","name":"Home"}`},
		{`{"type":"alias","userId":"1","previousId":"a"}`, `user_id=1`, ``},
		{`{"type":"group","userId":"1","groupId":"g","traits":{"name":"Acme","email":"info@acme.example"},"context":{"traits":{"email":"ann@example.com"}}}`,
			`user_id=1 email=ann@example.com name:"Acme"`, `{"type":"group","groupId":"g","context":{"traits":{"email":"ann@example.com"}}}`},
	} {
		got := parse(t, c.call)
		if values(got) != c.identifiers || string(got.Record) != c.record {
			t.Errorf("%s:\n got %s\n     %s\nwant %s\n     %s", c.call, values(got), got.Record, c.identifiers, c.record)
		}
	}
}

func TestAGroupCallNamesTheGroupApartFromItsMember(t *testing.T) {
	c := parse(t, `{"type":"group","userId":"1","groupId":"g","traits":{"email":"info@acme.example","user_id":"9"}}`)
	want := []erasure.Identifier{{Table: erasure.Group, Key: "group_id", Value: "g"}, {Table: erasure.Group, Key: "email", Value: "info@acme.example"}}
	if c.GroupID != "g" || fmt.Sprint(c.GroupIdentifiers) != fmt.Sprint(want) || c.Table != erasure.User {
		t.Errorf("got %+v", c)
	}
	if a := parse(t, `{"type":"alias","userId":"1","previousId":"a","groupId":"g"}`); a.PreviousID != "a" || a.GroupID != "" {
		t.Errorf("got %+v", a)
	}
}

func TestExternalIdsOfUsersInTheClearAreIdentifiers(t *testing.T) {
	c := parse(t, `{"type":"track","userId":"1","event":"x","context":{"externalIds":[
		{"id":"51","type":"hubspot_user_id","collection":"users","encoding":"none"},
		{"id":"fb.1","type":"fbp"}, {"id":"","type":"phone"}, {"id":"1","type":"user_id"},
		{"id":"0cc1","type":"email","encoding":"sha256"}, {"id":"7","type":"account","collection":"accounts"}, {"id":"g","type":"group_id"},
		{"id":"7","type":"crmId"}, {"id":"8","type":"ann@example.com"}, {"id":"9"}, null]}}`)
	if got := values(c); got != "user_id=1 hubspot_user_id=51 fbp=fb.1 crmid=7" {
		t.Errorf("got %s", got)
	}
}

func TestTimesAreKeptInUTC(t *testing.T) {
	want := time.Date(2021, 1, 1, 10, 30, 0, 0, time.UTC)
	for _, s := range []string{"2021-01-01T10:30:00Z", "2021-01-01T10:30:00.000Z", "2021-01-01T12:30:00+02:00", "2021-01-01T12:30:00.0+0200",
		"2021-01-01T10:30:00", "2021-01-01 10:30:00"} {
		if got := parse(t, `{"type":"page","userId":"1","timestamp":"`+s+`"}`).At; !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: got %s", s, got)
		}
	}
	if got := parse(t, `{"type":"page","userId":"1","originalTimestamp":"2021-01-01T10:30:00Z"}`).At; !got.Equal(want) {
		t.Errorf("originalTimestamp: got %s", got)
	}
	if got := parse(t, `{"type":"page","userId":"1","timestamp":null}`).At; !got.IsZero() {
		t.Errorf("no time: got %s", got)
	}
}

// SDKs of languages without types send the ids that a database counts as
// numbers.
func TestAnIDMayBeANumber(t *testing.T) {
	for call, want := range map[string]string{
		`{"type":"identify","userId":12345678901234567890,"anonymousId":7}`:                                              `user_id=12345678901234567890 anonymous_id=7`,
		`{"type":"track","event":"x","userId":1,"context":{"externalIds":[{"id":51,"type":"hubspot_user_id"}]}}`:         `user_id=1 hubspot_user_id=51`,
		`{"type":"track","event":"x","anonymousId":-1.50,"userId":null,"context":{"externalIds":[{"type":"braze_id"}]}}`: `anonymous_id=-1.50`,
	} {
		if got := values(parse(t, call)); got != want {
			t.Errorf("%s: got %s", call, got)
		}
	}
	if a := parse(t, `{"type":"alias","userId":1,"previousId":2}`); a.PreviousID != "2" {
		t.Errorf("got %+v", a)
	}
	if g := parse(t, `{"type":"group","userId":1,"groupId":3}`); g.GroupID != "3" || !strings.Contains(string(g.Record), `"groupId":"3"`) {
		t.Errorf("got %+v, %s", g, g.Record)
	}
}

func TestAPathSaysTheTypeOfItsCalls(t *testing.T) {
	for call, kind := range map[string]Kind{`{"userId":"1"}`: Identify, `{"userId":"1","type":"identify"}`: Identify, `{"userId":"1","type":null}`: Page} {
		if c, err := ParseKind(kind, []byte(call)); err != nil || c.Kind != kind {
			t.Errorf("%s: got %+v, %v", call, c, err)
		}
	}
	if _, err := ParseKind(Page, []byte(`{"userId":"1","type":"identify"}`)); erasure.CodeOf(err) != erasure.CodeInvalid {
		t.Errorf("another type is taken: %v", err)
	}
}

func TestACallThatIsNotStrictJSONOrNotTheSpecsIsRefusedWithASentence(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, call := range map[string]string{
		"nothing":                ``,
		"no object":              `[]`,
		"text":                   `"ann@example.com"`,
		"cut off":                `{"type":"identify","userId":"ann@example.com"`,
		"no JSON":                `{"type":"identify",userId:"ann@example.com"}`,
		"duplicate name":         `{"type":"identify","userId":"ann@example.com","userId":"1"}`,
		"duplicate, escaped":     `{"type":"identify","userId":"ann@example.com","user\u0049d":"1"}`,
		"duplicate trait":        `{"type":"identify","userId":"1","traits":{"a":1,"a":2}}`,
		"duplicate unknown":      `{"type":"identify","userId":"1","x":{"ann":1,"ann":2}}`,
		"another case":           `{"type":"identify","userId":"1","userid":"ann@example.com"}`,
		"another case alone":     `{"Type":"identify","userId":"ann@example.com"}`,
		"another case, unknown":  `{"type":"identify","userId":"1","CONTEXT":{}}`,
		"trailing data":          `{"type":"identify","userId":"1"} {"ann":1}`,
		"trailing comma":         `{"type":"identify","userId":"1"},`,
		"not UTF-8":              "{\"type\":\"identify\",\"userId\":\"ann\xff\"}",
		"half a surrogate":       `{"type":"identify","userId":"ann\ud800"}`,
		"NUL":                    "{\"type\":\"identify\",\"userId\":\"ann\x00\"}",
		"NUL, escaped":           `{"type":"identify","userId":"1","traits":{"a":"ann\u0000"}}`,
		"NUL in a name":          `{"type":"identify","userId":"1","traits":{"ann\u0000":1}}`,
		"too deep":               `{"type":"identify","userId":"1","x":` + deep(32) + `}`,
		"too large":              `{"type":"identify","userId":"1","x":"` + strings.Repeat("a", EventSize) + `"}`,
		"no type":                `{"userId":"ann@example.com"}`,
		"unknown type":           `{"type":"ann@example.com","userId":"1"}`,
		"type in capitals":       `{"type":"Identify","userId":"1"}`,
		"nobody":                 `{"type":"identify","traits":{"email":"ann@example.com"}}`,
		"nobody, blanks":         `{"type":"identify","userId":" \u200b"}`,
		"userId true":            `{"type":"identify","userId":true}`,
		"userId an object":       `{"type":"identify","userId":{"ann":1}}`,
		"over-long userId":       `{"type":"identify","userId":"` + strings.Repeat("a", 1025) + `"}`,
		"messageId a number":     `{"type":"identify","userId":"1","messageId":1}`,
		"over-long messageId":    `{"type":"identify","userId":"1","messageId":"` + strings.Repeat("a", 256) + `"}`,
		"traits a list":          `{"type":"identify","userId":"1","traits":["ann"]}`,
		"properties text":        `{"type":"track","event":"x","userId":"1","properties":"ann"}`,
		"context a list":         `{"type":"track","event":"x","userId":"1","context":[]}`,
		"context.traits a list":  `{"type":"track","event":"x","userId":"1","context":{"traits":[]}}`,
		"externalIds an object":  `{"type":"track","event":"x","userId":"1","context":{"externalIds":{}}}`,
		"external id a list":     `{"type":"track","event":"x","userId":"1","context":{"externalIds":[{"id":["ann"],"type":"a"}]}}`,
		"two user ids":           `{"type":"identify","userId":"1","context":{"externalIds":[{"id":"ann","type":"user_id"}]}}`,
		"51 identifiers":         `{"type":"track","event":"x","userId":"1","context":{"externalIds":[` + manyIDs(51) + `]}}`,
		"no event":               `{"type":"track","userId":"1"}`,
		"event a number":         `{"type":"track","userId":"1","event":1}`,
		"no groupId":             `{"type":"group","userId":"1"}`,
		"no previousId":          `{"type":"alias","userId":"1"}`,
		"over-long previousId":   `{"type":"alias","userId":"1","previousId":"` + strings.Repeat("a", 1025) + `"}`,
		"timestamp in words":     `{"type":"page","userId":"1","timestamp":"ann's birthday"}`,
		"timestamp a number":     `{"type":"page","userId":"1","timestamp":1609459200}`,
		"timestamp after 9999":   `{"type":"page","userId":"1","timestamp":"9999-12-31T23:59:59-10:00"}`,
		"timestamp before 0":     `{"type":"page","userId":"1","timestamp":"0000-01-01T00:00:00+14:00"}`,
		"efface_id that is none": `{"type":"page","userId":"1","context":{"externalIds":[{"id":"ann","type":"efface_id"}]}}`,
	} {
		_, err := ParseCall([]byte(call))
		if erasure.CodeOf(err) != erasure.CodeInvalid {
			t.Errorf("%s: got %v", name, err)
		} else if strings.Contains(err.Error(), "ann") {
			t.Errorf("%s: the sentence holds what was sent: %v", name, err)
		}
	}
}

func TestWhatIsFreeInTheSpecIsAccepted(t *testing.T) {
	deep := strings.Repeat("[", 31) + strings.Repeat("]", 31)
	for name, call := range map[string]string{
		"as deep as may be":      `{"type":"identify","userId":"1","x":` + deep + `}`,
		"traits that differ":     `{"type":"identify","userId":"1","traits":{"Email":"a","email":"b","EMAIL":1}}`,
		"properties that differ": `{"type":"track","event":"x","userId":"1","properties":{"Type":1,"type":2,"userid":3}}`,
		"context that differs":   `{"type":"track","event":"x","userId":"1","context":{"Traits":1,"traits":{}}}`,
		"blanks around":          " \t{\"type\":\"identify\",\"userId\":\"1\"}\r\n",
		"null for what is none":  `{"type":"identify","userId":null,"anonymousId":"1","traits":null,"context":null}`,
		"escapes":                `{"t\u0079pe":"\u0069dentify","userId":"1"}`,
		"the longest message id": `{"type":"identify","userId":"1","messageId":"` + strings.Repeat("a", 255) + `"}`,
		"a value that is no key": `{"type":"identify","userId":"1","traits":{"email":"nobody","phone":"none"}}`,
	} {
		if _, err := ParseCall([]byte(call)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manyIDs(n int) string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf(`{"id":"%d","type":"a"}`, i)
	}
	return strings.Join(ids, ",")
}

func TestANumberIsOneIDHoweverItIsWritten(t *testing.T) {
	for number, want := range map[string]string{
		`7`: "7", `7.0`: "7", `7e0`: "7", `70E-1`: "7", `"7.0"`: "7.0", `7.5`: "7.5", `0.0`: "0", `4.930123456e9`: "4930123456",
		`9007199254740993`: "9007199254740993", `9007199254740993.0`: "9007199254740993.0", `1e999`: "1e999", `1e18`: "1e18",
	} {
		c, err := ParseCall([]byte(`{"type":"page","userId":` + number + `}`))
		if err != nil || values(c) != "user_id="+want {
			t.Errorf("%s is %s, %v", number, values(c), err)
		}
	}
}

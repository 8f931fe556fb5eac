package ingest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
)

func parseBatch(t *testing.T, batch string) []Event {
	t.Helper()
	events, err := ParseBatch([]byte(batch))
	if err != nil {
		t.Fatalf("%s: %v", batch, err)
	}
	return slices.Collect(events)
}

func TestABatchLendsItsEventsWhatTheyLack(t *testing.T) {
	events := parseBatch(t, `{"batch":[
		{"type":"page","userId":"1"},
		{"type":"page","userId":"2","context":null,"timestamp":null},
		{"type":"page","userId":"3","context":{"ip":"192.0.2.3","traits":{"phone":"+4930123"}},"timestamp":"2021-02-02T00:00:00Z"},
		{"type":"page","userId":"4","context":{},"originalTimestamp":"2021-03-03T00:00:00Z"}],
		"context":{"ip":"192.0.2.9","traits":{"email":"ann@example.com"},"library":{"name":"x"}},
		"timestamp":"2021-01-01T00:00:00Z","sentAt":"2021-01-01T00:00:01Z","writeKey":null}`)
	lent := `"context":{"ip":"192.0.2.9","library":{"name":"x"},"traits":{"email":"ann@example.com"}}}`
	for i, want := range []struct{ identifiers, record, at string }{
		{`user_id=1 email=ann@example.com`, lent, "2021-01-01"},
		{`user_id=2 email=ann@example.com`, lent, "2021-01-01"},
		{`user_id=3 phone=+4930123`, `"context":{"ip":"192.0.2.3","library":{"name":"x"},"traits":{"phone":"+4930123"}}}`, "2021-02-02"},
		{`user_id=4 email=ann@example.com`, lent, "2021-03-03"},
	} {
		c, err := events[i].Call, events[i].Err
		if err != nil || values(c) != want.identifiers || c.At.Format(time.DateOnly) != want.at || !strings.HasSuffix(string(c.Record), want.record) {
			t.Errorf("event %d: %v, %s at %s\n%s", i+1, err, values(c), c.At, c.Record)
		}
	}
}

func TestAnEventThatIsRefusedStopsNoOther(t *testing.T) {
	large := `"x":"` + strings.Repeat("a", EventSize) + `"`
	events := parseBatch(t, `{"batch":[{"type":"page","userId":"1"},{"type":"page"},{"userId":"2"},"ann",{"type":"page","userId":"3",`+large+`},{"type":"page","userId":"4"}]}`)
	for i, accepted := range []bool{true, false, false, false, false, true} {
		if err := events[i].Err; (err == nil) != accepted || err != nil && erasure.CodeOf(err) != erasure.CodeInvalid {
			t.Errorf("event %d: %v", i+1, err)
		}
	}
	if len(parseBatch(t, `{"batch":[]}`)) != 0 {
		t.Error("an empty batch has events")
	}
}

func TestABatchOfTheWrongFormIsRefusedWhole(t *testing.T) {
	one := `{"type":"page","userId":"ann"}`
	for name, batch := range map[string]string{
		"nothing":                ``,
		"a list":                 `[` + one + `]`,
		"no batch":               `{"userId":"ann"}`,
		"batch null":             `{"batch":null}`,
		"batch an object":        `{"batch":` + one + `}`,
		"another case":           `{"Batch":[` + one + `]}`,
		"another case inside":    `{"batch":[` + one + `,{"type":"page","UserID":"ann"}]}`,
		"a name twice":           `{"batch":[` + one + `,{"type":"page","userId":"ann","userId":"b"}]}`,
		"batch twice":            `{"batch":[` + one + `],"batch":[]}`,
		"NUL in one":             `{"batch":[` + one + `,{"type":"page","userId":"ann\u0000"}]}`,
		"too deep":               `{"batch":[` + one + `,{"type":"page","userId":"ann","x":` + strings.Repeat("[", 30) + strings.Repeat("]", 30) + `}]}`,
		"trailing data":          `{"batch":[` + one + `]} {}`,
		"cut off":                `{"batch":[` + one,
		"not UTF-8":              "{\"batch\":[{\"type\":\"page\",\"userId\":\"ann\xff\"}]}",
		"context a list":         `{"batch":[` + one + `],"context":["ann"]}`,
		"timestamp a number":     `{"batch":[` + one + `],"timestamp":1609459200}`,
		"too many":               `{"batch":[` + strings.Repeat("0,", BatchEvents) + one + `]}`,
		"too large":              `{"batch":[` + one + `],"x":"` + strings.Repeat("a", BatchSize) + `"}`,
		"too much for each":      `{"batch":[` + strings.Repeat("0,", BatchEvents-1) + one + `],"context":{"x":"` + strings.Repeat("a", 8<<10) + `"}}`,
		"an escaped NUL outside": `{"batch":[` + one + `],"context":{"x":"ann\u0000"}}`,
	} {
		_, err := ParseBatch([]byte(batch))
		if erasure.CodeOf(err) != erasure.CodeInvalid {
			t.Errorf("%s: got %v", name, err)
		} else if strings.Contains(err.Error(), "ann") {
			t.Errorf("%s: the sentence holds what was sent: %v", name, err)
		}
	}
}

func TestEachNameGivesASourceOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"shop", "crm sync", "crm-sync", "crm  sync", "Bär", "Bar", "B-r", "ann@example.com", strings.Repeat("ü", 64), strings.Repeat("é", 64),
		strings.Repeat("x", 64), strings.Repeat("x y", 21), ""} {
		source := SourceOf(name)
		if err := CheckSource(source); err != nil {
			t.Errorf("%q gives %q: %v", name, source, err)
		}
		if before, taken := seen[source]; taken {
			t.Errorf("%q and %q give %q", before, name, source)
		}
		if seen[source] = name; source != SourceOf(name) || CheckSource(name) == nil && source != name {
			t.Errorf("%q gives %q", name, source)
		}
	}
	if got := SourceOf("crm sync")[:9]; got != "crm-sync-" {
		t.Errorf("got %s", got)
	}
}

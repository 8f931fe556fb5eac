package ingest_test

import (
	"testing"

	"github.com/efface/efface/store/ingest"
)

func TestUnidentifiedLeavesOutWhoItIs(t *testing.T) {
	for record, want := range map[string]string{
		`{"type":"track","event":"Paid","context":{"traits":{"email":"ann@example.com"},"ip":"192.0.2.1","externalIds":[{"id":"1"}]},"properties":{"total":1.98}}`: `{"context":{"ip":"192.0.2.1"},"event":"Paid","properties":{"total":1.98},"type":"track"}`,
		`{"type":"page"}`: `{"type":"page"}`,
	} {
		if got, err := ingest.Unidentified([]byte(record)); err != nil || string(got) != want {
			t.Errorf("%s is %s, %v, not %s", record, got, err, want)
		}
	}
}

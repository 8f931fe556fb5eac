package storetest

import (
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

func identify(pairs ...string) ingest.Call {
	return ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: "shop", Identifiers: Identifiers(pairs...)}
}

// suppressed erases whom a user_id leads to, not to be collected again.
func (d trial) suppressed(t *testing.T, userID string) erasure.Request {
	t.Helper()
	return d.suppressedBy(t, "user_id", userID)
}

func (d trial) suppressedBy(t *testing.T, key, value string) erasure.Request {
	t.Helper()
	r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: Identifiers(key, value)[0], Suppress: true, Origin: erasure.API})
	must(t, err)
	d.clock.Advance(window)
	EraseAll(t, d.DB)
	d.is(t, erasure.Completed, r.ID)
	return r
}

// returned fails the test unless so many calls came back.
func (d trial) returned(t *testing.T, r erasure.Request, dropped, trimmed int, last time.Time) {
	t.Helper()
	s, _, err := d.SuppressedSince(t.Context(), r)
	if err != nil || s.Returns.Dropped != dropped || s.Returns.Trimmed != trimmed || !s.Returns.LastAt.Equal(last.Truncate(time.Millisecond)) {
		t.Errorf("came back: %+v, not %d and %d, %v", s.Returns, dropped, trimmed, err)
	}
}

func (d trial) sharedSince(t *testing.T, r erasure.Request, n int) {
	t.Helper()
	if s, _, err := d.SuppressedSince(t.Context(), r); err != nil || len(s.Shared) != n {
		t.Errorf("shared are %+v, %v", s.Shared, err)
	}
}

// check fails the test unless identifiers of people are suppressed or not.
func (d trial) check(t *testing.T, want map[[2]string]bool) {
	t.Helper()
	for pair, suppressed := range want {
		found, err := d.CheckSuppressions(t.Context(), erasure.System, Identifiers(pair[0], pair[1]))
		if err != nil || (found[0] != nil) != suppressed {
			t.Errorf("%s %s is %+v, %v", pair[0], pair[1], found, err)
		}
	}
}

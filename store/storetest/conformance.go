package storetest

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// Opener opens a new store, as [Open] does.
type Opener func(t testing.TB, configure ...func(*store.Options)) *store.DB

// Conformance holds what a store does whatever database it stands on. It
// knows a store by its methods alone, so what they leave on the disk is for
// each database's own tests.
func Conformance(t *testing.T, open Opener) {
	for subject, all := range map[string]behaviours{
		"resolution": resolution, "merges": merges, "shown merges": shownMerges, "limits": limits, "profiles": profiles, "requests": requests, "pages": pages, "joined requests": joinedRequests,
		"batches": batches, "bulks": bulks, "calls sent again": sentAgain, "erasures": erasures, "groups": groups, "suppressions": suppressions, "sessions": sessions, "submissions": submissions,
	} {
		t.Run(subject, func(t *testing.T) {
			t.Parallel()
			for behaviour, holds := range all {
				t.Run(behaviour, func(t *testing.T) {
					clock := NewClock()
					holds(t, trial{open(t, WithClock(clock)), clock})
				})
			}
		})
	}
}

// behaviours are what a new store is tried for, by what they say of it.
type behaviours map[string]func(t *testing.T, d trial)

// trial is a new store whose clock the test moves.
type trial struct {
	*store.DB
	clock *Clock
}

// window is for how long a request may be cancelled.
const window = 24 * time.Hour

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is fails the test unless requests are in a state.
func (d trial) is(t testing.TB, state erasure.State, ids ...erasure.RequestID) {
	t.Helper()
	for _, id := range ids {
		if r, err := d.Request(t.Context(), id); err != nil || r.State != state {
			t.Fatalf("request %s is %s, not %s, %v", id, r.State, state, err)
		}
	}
}

// logged fails the test unless the log tells exactly this of a request, in
// this order.
func (d trial) logged(t testing.TB, id erasure.RequestID, want ...erasure.Kind) {
	t.Helper()
	var got []erasure.Kind
	for cursor, more := "", true; more; more = cursor != "" {
		var page []erasure.Activity
		var err error
		page, cursor, err = d.Activity(t.Context(), cursor, 50)
		must(t, err)
		for _, a := range page {
			if a.Request != nil && *a.Request == id {
				got = append([]erasure.Kind{a.Kind}, got...)
			}
		}
	}
	if len(got) != len(want) {
		t.Fatalf("the log tells %v of a request, not %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("the log tells %v of a request, not %v", got, want)
		}
	}
}

// found fails the test unless an identifier leads to so many profiles.
func (d trial) found(t testing.TB, n int, key, value string) {
	t.Helper()
	if found, err := d.Find(t.Context(), Identifiers(key, value)[0]); err != nil || len(found) != n {
		t.Errorf("%s %s leads to %d profiles, not %d, %v", key, value, len(found), n, err)
	}
}

func (d trial) cancel(t testing.TB, id erasure.RequestID) error {
	t.Helper()
	_, err := d.Cancel(t.Context(), id, erasure.System, erasure.API)
	return err
}

// Requested asks for the erasure of whom an identifier leads to.
func Requested(t testing.TB, db *store.DB, key, value string) erasure.Request {
	t.Helper()
	r, _, err := db.RequestErasure(t.Context(), erasure.NewRequest{Asked: Identifiers(key, value)[0],
		Origin: erasure.API, Actor: erasure.System, Reason: "asked by mail"})
	if err != nil {
		t.Fatalf("requesting the erasure of %s %s: %v", key, value, err)
	}
	return r
}

// EraseAll does what a runner does, until nothing is left that is due.
func EraseAll(t testing.TB, db *store.DB) {
	t.Helper()
	for {
		claimed, err := db.ClaimDue(t.Context(), 500)
		if err != nil {
			t.Fatalf("claiming: %v", err)
		}
		destroyed, busy, err := db.DestroyKeys(t.Context(), 500)
		if err != nil {
			t.Fatalf("destroying keys: %v", err)
		}
		_, more, err := db.DeleteRows(t.Context(), 4000)
		if err != nil {
			t.Fatalf("deleting rows: %v", err)
		}
		if claimed == 0 && destroyed == 0 && !more && !busy {
			return
		}
	}
}

// LiveKey makes an API key and returns its id.
func LiveKey(t testing.TB, db *store.DB) uuid.UUID {
	t.Helper()
	_, k, err := db.CreateKey(t.Context(), erasure.System, store.NewKey{Name: uuid.NewString(), Scopes: []erasure.Scope{erasure.ScopeDeletionsWrite}})
	if err != nil {
		t.Fatal(err)
	}
	return k.ID
}

// WantCode fails the test unless an error has a code.
func WantCode(t testing.TB, err error, code erasure.Code) {
	t.Helper()
	if erasure.CodeOf(err) != code {
		t.Errorf("got %v, want an error of code %q", err, code)
	}
}

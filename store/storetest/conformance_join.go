package storetest

import (
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// joinedRequests is what becomes of requests for identifiers that nobody has.
var joinedRequests = behaviours{
	"a request for nobody waits and takes who appears": func(t *testing.T, d trial) {
		r := d.waiting(t, "user_id", "u9")
		if again := d.waiting(t, "user_id", "u9"); again.ID != r.ID {
			t.Errorf("a second request %s was made beside %s", again.ID, r.ID)
		}
		Identify(t, d.DB, "shop", "user_id", "u9", "email", "late@example.com")
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		got, err := d.Request(t.Context(), r.ID)
		if err != nil || got.State != erasure.Completed || got.Identifiers != 2 || got.EffaceID == nil {
			t.Errorf("the request is %+v, %v", got, err)
		}
		d.logged(t, r.ID, erasure.RequestCreated, erasure.RequestAttached, erasure.RequestClaimed, erasure.KeysDestroyed, erasure.RequestCompleted)
	},
	"a request for nobody completes with zero": func(t *testing.T, d trial) {
		r := d.waiting(t, "email", "nobody@example.com")
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		got, err := d.Request(t.Context(), r.ID)
		if err != nil || got.State != erasure.Completed || got.Identifiers != 0 || got.EffaceID != nil {
			t.Errorf("the request is %+v, %v", got, err)
		}
		if again := d.waiting(t, "email", "nobody@example.com"); again.ID == r.ID {
			t.Error("after that no new request is made")
		}
	},
	"joined requests are due at the later time and end together": func(t *testing.T, d trial) {
		first, waiting := d.joined(t)
		if r, err := d.Request(t.Context(), waiting); err != nil || r.Joined == nil || *r.Joined != first || r.EffaceID == nil {
			t.Fatalf("the waiting request did not join the other: %+v, %v", r, err)
		}
		d.clock.Advance(window - time.Hour)
		EraseAll(t, d.DB)
		d.is(t, erasure.Pending, first, waiting)
		d.clock.Advance(time.Hour)
		EraseAll(t, d.DB)
		d.is(t, erasure.Completed, first, waiting)
		d.logged(t, first, erasure.RequestCreated, erasure.RequestClaimed, erasure.KeysDestroyed, erasure.RequestCompleted)
		d.logged(t, waiting, erasure.RequestCreated, erasure.RequestJoined, erasure.RequestClaimed, erasure.KeysDestroyed, erasure.RequestCompleted)
		if o := Identify(t, d.DB, "shop", "email", "later@example.com"); o.Outcome != store.Suppressed {
			t.Errorf("the joined request asked for suppression, and what came back was %s", o.Outcome)
		}
	},
	"a cancel of the first ends both": func(t *testing.T, d trial) {
		first, waiting := d.joined(t)
		d.cancelEnds(t, first, first, waiting)
	},
	"a cancel of the joined one ends both": func(t *testing.T, d trial) {
		first, waiting := d.joined(t)
		d.cancelEnds(t, waiting, first, waiting)
	},
	"joined requests fail together, and end all the same": func(t *testing.T, d trial) {
		first, waiting := d.joined(t)
		d.clock.Advance(window + time.Hour)
		_, err := d.ClaimDue(t.Context(), 10)
		must(t, err)
		for range store.FailedTries {
			noted, err := d.NoteFailure(t.Context(), store.Destroying, "It failed.")
			if err != nil || !noted {
				t.Fatalf("a failed try is noted: %v, %v", noted, err)
			}
			d.clock.Advance(time.Hour)
		}
		d.is(t, erasure.Failed, first, waiting)
		EraseAll(t, d.DB)
		d.is(t, erasure.Completed, first, waiting)
		d.logged(t, waiting, erasure.RequestCreated, erasure.RequestJoined, erasure.RequestClaimed, erasure.RequestFailed,
			erasure.KeysDestroyed, erasure.RequestCompleted)
	},
}

// waiting asks for the erasure of nobody yet.
func (d trial) waiting(t *testing.T, key, value string) erasure.Request {
	t.Helper()
	r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: Identifiers(key, value)[0],
		Unknown: true, Suppress: true, Reason: "a letter", Origin: erasure.June, Reference: "T-2"})
	must(t, err)
	return r
}

// joined makes a request for a person, and an hour later one for an e-mail
// address that nobody has, which then becomes that person's.
func (d trial) joined(t *testing.T) (first, waiting erasure.RequestID) {
	t.Helper()
	Identify(t, d.DB, "shop", "user_id", "u1")
	first = Requested(t, d.DB, "user_id", "u1").ID
	d.clock.Advance(time.Hour)
	waiting = d.waiting(t, "email", "later@example.com").ID
	Identify(t, d.DB, "shop", "user_id", "u1", "email", "later@example.com")
	return first, waiting
}

func (d trial) cancelEnds(t *testing.T, id erasure.RequestID, both ...erasure.RequestID) {
	t.Helper()
	must(t, d.cancel(t, id))
	d.is(t, erasure.Cancelled, both...)
	d.clock.Advance(2 * window)
	EraseAll(t, d.DB)
	d.is(t, erasure.Cancelled, both...)
	One(t, d.DB, "user_id", "u1")
}

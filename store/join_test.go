package store_test

import (
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// joined makes a request for a person, and an hour later one for an e-mail
// address that nobody has, which then becomes that person's.
func joined(t *testing.T) (d onDisk, first, waiting erasure.RequestID) {
	t.Helper()
	d = openOnDisk(t)
	tellPerson(t, d.DB, "u1", 1)
	first = requested(t, d.DB, "user_id", "u1").ID
	d.clock.Advance(time.Hour)
	r, created, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("email", "later@example.com")[0],
		Unknown: true, Suppress: true, Reason: "a letter", Origin: erasure.June, Reference: "T-2"})
	if err != nil || !created {
		t.Fatalf("a request for nobody: %v, %v", created, err)
	}
	storetest.Identify(t, d.DB, "shop", "user_id", "u1", "email", "later@example.com")
	return d, first, r.ID
}

func TestJoinedRequestsAreDueAtTheLaterTimeAndEndTogether(t *testing.T) {
	d, first, waiting := joined(t)
	r, err := d.Request(t.Context(), waiting)
	if err != nil || r.Joined == nil || *r.Joined != first || r.EffaceID == nil {
		t.Fatalf("the waiting request did not join the other: %+v, %v", r, err)
	}
	d.clock.Advance(23 * time.Hour)
	eraseAll(t, d.DB)
	if a, b := d.state(t, first), d.state(t, waiting); a != erasure.Pending || b != erasure.Pending {
		t.Fatalf("at the earlier time they are %s and %s", a, b)
	}
	d.clock.Advance(time.Hour)
	eraseAll(t, d.DB)
	checkErased(t, d, first, waiting)
	if o := storetest.Identify(t, d.DB, "shop", "email", "later@example.com"); o.Outcome != store.Suppressed {
		t.Errorf("the joined request asked for suppression, and what came back was %s", o.Outcome)
	}
}

func TestACancelOfEitherJoinedRequestEndsBoth(t *testing.T) {
	for _, first := range []bool{true, false} {
		d, a, b := joined(t)
		id := b
		if first {
			id = a
		}
		must(t, second(d.Cancel(t.Context(), id, erasure.System, erasure.Console)))
		if a, b := d.state(t, a), d.state(t, b); a != erasure.Cancelled || b != erasure.Cancelled {
			t.Errorf("after a cancel they are %s and %s", a, b)
		}
		d.clock.Advance(48 * time.Hour)
		eraseAll(t, d.DB)
		storetest.One(t, d.DB, "user_id", "u1")
		storetest.CheckLog(t, d.dir)
	}
}

// Joined requests fail together too, and each has its entry.
func TestJoinedRequestsFailTogether(t *testing.T) {
	d, first, waiting := joined(t)
	d.clock.Advance(25 * time.Hour)
	must(t, second(d.ClaimDue(t.Context(), 10)))
	for range store.FailedTries {
		must(t, second(d.NoteFailure(t.Context(), store.Destroying, "It failed.")))
		d.clock.Advance(time.Hour)
	}
	if a, b := d.state(t, first), d.state(t, waiting); a != erasure.Failed || b != erasure.Failed {
		t.Fatalf("they are %s and %s", a, b)
	}
	storetest.CheckLog(t, d.dir)
	eraseAll(t, d.DB)
	checkErased(t, d, first, waiting)
}

func TestARequestForNobodyCompletesWithZero(t *testing.T) {
	d := openOnDisk(t)
	ask := erasure.NewRequest{Asked: storetest.Identifiers("email", "nobody@example.com")[0], Unknown: true, Origin: erasure.June}
	r, _, err := d.RequestErasure(t.Context(), ask)
	must(t, err)
	d.clock.Advance(24 * time.Hour)
	eraseAll(t, d.DB)
	checkErased(t, d, r.ID)
	if again, created, err := d.RequestErasure(t.Context(), ask); err != nil || !created || again.ID == r.ID {
		t.Errorf("a request after that is %v, created %v, %v", again.ID, created, err)
	}
}

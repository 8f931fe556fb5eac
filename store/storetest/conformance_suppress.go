package storetest

import (
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// suppressions is what may not come back, and how often it tried to.
var suppressions = behaviours{
	"a call that is dropped counts each time, also with the same message id": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "u1@example.com", "anonymous_id", "a1")
		r := d.suppressed(t, "u1")
		d.returned(t, r, 0, 0, time.Time{})
		for range 3 {
			o := Tell(t, d.DB, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: "shop", MessageID: "m1",
				Identifiers: Identifiers("user_id", "u1", "email", "u1@example.com", "anonymous_id", "a1"), Record: []byte(`{}`)})
			if o.Outcome != store.Suppressed {
				t.Errorf("what came back is %s", o.Outcome)
			}
		}
		d.clock.Advance(time.Hour)
		calls := []ingest.Call{identify("user_id", "u1"), identify("user_id", "u2"), identify("email", "u1@example.com")}
		_, err := d.Ingest(t.Context(), calls)
		must(t, err)
		d.returned(t, r, 5, 0, d.clock.Now().Wall)
		totals, err := d.SuppressionTotals(t.Context())
		if err != nil || totals.Identifiers != 3 || totals.Returns.Dropped != 5 {
			t.Errorf("the totals are %+v, %v", totals, err)
		}
	},
	"a call of which identifiers are left out counts once, as it is stored once": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "u1@example.com", "phone", "+49301234567")
		r := d.suppressed(t, "u1")
		c := identify("anonymous_id", "a1", "email", "u1@example.com", "phone", "+49301234567")
		c.MessageID = "m1"
		for _, want := range []store.Outcome{store.Added, store.Seen} {
			if o := Tell(t, d.DB, c); o.Outcome != want {
				t.Errorf("it is %s, not %s", o.Outcome, want)
			}
		}
		d.returned(t, r, 0, 1, d.clock.Now().Wall)
		d.found(t, 0, "email", "u1@example.com")
		d.found(t, 1, "anonymous_id", "a1")
		Tell(t, d.DB, ingest.Call{Kind: ingest.Alias, Table: erasure.User, Source: "shop", PreviousID: "u1", Identifiers: Identifiers("user_id", "u2")})
		d.returned(t, r, 0, 2, d.clock.Now().Wall)
	},
	"each of two erasures counts what it suppressed": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "one@example.com")
		Identify(t, d.DB, "shop", "user_id", "u2", "email", "two@example.com")
		one, two := d.suppressed(t, "u1"), d.suppressed(t, "u2")
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "two@example.com")
		Identify(t, d.DB, "shop", "user_id", "u1")
		d.returned(t, one, 2, 0, d.clock.Now().Wall)
		d.returned(t, two, 1, 0, d.clock.Now().Wall)
	},
	"a group is suppressed as a person is": func(t *testing.T, d trial) {
		Join(t, d.DB, "u1", "g1")
		r := d.requestGroup(t, "g1", true)
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		if o := Join(t, d.DB, "u1", "g1"); o.Outcome == store.Suppressed {
			t.Error("the member is suppressed with the group")
		}
		d.returned(t, r, 0, 1, d.clock.Now().Wall) // for the member is kept
		d.check(t, map[[2]string]bool{{"user_id", "u1"}: false})
		if found, err := d.CheckSuppressions(t.Context(), erasure.System, GroupIdentifiers("group_id", "g1")); err != nil || found[0] == nil || found[0].Request != r.ID {
			t.Errorf("the group's identifier is %v, %v", found, err)
		}
		Identify(t, d.DB, "shop", "user_id", "g1") // of the other table
		d.found(t, 1, "user_id", "g1")
	},
	"it holds from the claim on, and not before": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "u1@example.com")
		_, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: Identifiers("user_id", "u1")[0], Suppress: true, Origin: erasure.API})
		must(t, err)
		d.clock.Advance(window)
		d.check(t, map[[2]string]bool{{"user_id", "u1"}: false, {"email", "u1@example.com"}: false})
		if o := Identify(t, d.DB, "shop", "user_id", "u1", "email", "more@example.com"); o.Outcome != store.Added {
			t.Errorf("before the claim it is %s", o.Outcome)
		}
		_, err = d.ClaimDue(t.Context(), 10)
		must(t, err)
		d.check(t, map[[2]string]bool{{"user_id", "u1"}: true, {"email", "u1@example.com"}: true, {"email", "more@example.com"}: true})
		if o := Identify(t, d.DB, "shop", "user_id", "u1"); o.Outcome != store.Suppressed {
			t.Errorf("after the claim it is %s", o.Outcome)
		}
	},
	"without being chosen nothing is suppressed": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		Requested(t, d.DB, "user_id", "u1")
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		d.check(t, map[[2]string]bool{{"user_id", "u1"}: false})
		if o := Identify(t, d.DB, "shop", "user_id", "u1"); o.Outcome != store.Added {
			t.Errorf("it is %s", o.Outcome)
		}
	},
	"what led to somebody else too is not suppressed, whether or not they are to be erased": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "both@example.com", "phone", "+49301234567")
		Identify(t, d.DB, "shop", "user_id", "u2", "email", "both@example.com")
		Identify(t, d.DB, "shop", "user_id", "u3", "phone", "+49301234567")
		_, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: Identifiers("user_id", "u1")[0], Suppress: true, Origin: erasure.API})
		must(t, err)
		d.clock.Advance(time.Hour)
		open := Requested(t, d.DB, "user_id", "u3").ID
		d.clock.Advance(window - time.Hour)
		EraseAll(t, d.DB)
		d.check(t, map[[2]string]bool{{"user_id", "u1"}: true, {"email", "both@example.com"}: false, {"phone", "+49301234567"}: false})
		d.is(t, erasure.Pending, open)
	},
	"it has no effect from the instant it expires": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		r := d.suppressed(t, "u1")
		d.clock.Advance(store.DefaultSuppressFor - time.Millisecond)
		d.check(t, map[[2]string]bool{{"user_id", "u1"}: true})
		d.clock.Advance(time.Millisecond)
		d.check(t, map[[2]string]bool{{"user_id", "u1"}: false})
		if page, next, err := d.Suppressions(t.Context(), "", 10); err != nil || len(page) != 0 || next != "" {
			t.Errorf("listed are %+v, %v", page, err)
		}
		if o := Identify(t, d.DB, "shop", "user_id", "u1"); o.Outcome != store.Added {
			t.Errorf("it is %s", o.Outcome)
		}
		d.returned(t, r, 0, 0, time.Time{})
	},
	"a wall clock that goes back takes nothing from when it last came": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		r := d.suppressed(t, "u1")
		Identify(t, d.DB, "shop", "user_id", "u1")
		last := d.clock.Now().Wall
		d.clock.SetWall(last.Add(-time.Hour))
		Identify(t, d.DB, "shop", "user_id", "u1")
		d.returned(t, r, 2, 0, last)
	},
	"what comes with another person's data is noted as shared": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "ann", "email", "family@example.com", "email", "own@example.com", "anonymous_id", "a1")
		r := d.suppressed(t, "ann")
		Identify(t, d.DB, "shop", "anonymous_id", "a2", "email", "own@example.com") // perhaps Ann on another device
		Identify(t, d.DB, "shop", "user_id", "ann", "email", "own@example.com")
		d.sharedSince(t, r, 0)
		d.clock.Advance(time.Hour)
		Identify(t, d.DB, "shop", "user_id", "bob", "email", "family@example.com", "anonymous_id", "a1")
		d.sharedSince(t, r, 1)
		d.found(t, 0, "email", "family@example.com")
		s, _, err := d.SuppressedSince(t.Context(), r)
		must(t, err)
		if one := s.Shared[0]; one.Key != "email" || !one.SharedAt.Equal(d.clock.Now().Wall) || one.Request != r.ID {
			t.Fatalf("shared is %+v", one)
		}
		_, err = d.Lift(t.Context(), erasure.System, erasure.Lift{Fingerprint: s.Shared[0].Fingerprint, Request: r.ID, Reason: erasure.LiftShared})
		must(t, err)
		d.sharedSince(t, r, 0)
		Identify(t, d.DB, "shop", "user_id", "bob", "email", "family@example.com")
		d.found(t, 1, "email", "family@example.com")
		d.check(t, map[[2]string]bool{{"email", "own@example.com"}: true, {"user_id", "ann"}: true})
	},
	"what comes with the data of somebody who may be the same is not shared": func(t *testing.T, d trial) {
		Identify(t, d.DB, "web", "anonymous_id", "a1", "email", "ann@example.com")
		r := d.suppressedBy(t, "anonymous_id", "a1")
		Identify(t, d.DB, "shop", "user_id", "ann", "email", "ann@example.com") // would have joined
		d.sharedSince(t, r, 0)
	},
	"one is lifted with a reason, once": liftOnce,
	"one that another erasure renewed since it was looked at is not lifted": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		before := d.suppressed(t, "u1")
		d.clock.Advance(store.DefaultSuppressFor)
		Identify(t, d.DB, "shop", "user_id", "u1")
		now := d.suppressed(t, "u1")
		found, err := d.CheckSuppressions(t.Context(), erasure.System, Identifiers("user_id", "u1"))
		must(t, err)
		lift := erasure.Lift{Fingerprint: found[0].Fingerprint, Request: before.ID, Reason: erasure.LiftAsked}
		_, err = d.Lift(t.Context(), erasure.System, lift)
		WantCode(t, err, erasure.CodeConflict)
		d.check(t, map[[2]string]bool{{"user_id", "u1"}: true})
		lift.Request = now.ID
		_, err = d.Lift(t.Context(), erasure.System, lift)
		must(t, err)
		d.check(t, map[[2]string]bool{{"user_id", "u1"}: false})
	},
	"the newest erasures are listed first, a page at a time": func(t *testing.T, d trial) {
		var want []erasure.RequestID
		for _, user := range []string{"u1", "u2", "u3"} {
			Identify(t, d.DB, "shop", "user_id", user, "email", user+"@example.com", "email", user+"@example.org")
			want = append([]erasure.RequestID{d.suppressed(t, user).ID}, want...)
		}
		Identify(t, d.DB, "shop", "user_id", "u1")
		cursor, pages := "", 0
		var got []erasure.Suppressed
		for more := true; more; more = cursor != "" {
			page, next, err := d.Suppressions(t.Context(), cursor, 2)
			must(t, err)
			got, cursor, pages = append(got, page...), next, pages+1
		}
		if len(got) != 3 || pages != 2 {
			t.Fatalf("%d are listed on %d pages", len(got), pages)
		}
		for i, s := range got {
			if s.Request != want[i] || len(s.Keys) != 2 || s.Keys[1].Key != "email" || s.Keys[1].Count != 2 ||
				s.Until.Sub(s.Since) != store.DefaultSuppressFor || s.Returns.Dropped != map[bool]int{true: 1}[i == 2] {
				t.Errorf("the %dth is %+v", i, s)
			}
		}
		_, _, err := d.Suppressions(t.Context(), "x", 2)
		WantCode(t, err, erasure.CodeInvalid)
	},
	"joined requests say the same": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		first := Requested(t, d.DB, "user_id", "u1").ID
		joined, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: Identifiers("email", "later@example.com")[0], Unknown: true, Suppress: true, Origin: erasure.June})
		must(t, err)
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "later@example.com")
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		Identify(t, d.DB, "shop", "user_id", "u1")
		for _, id := range []erasure.RequestID{first, joined.ID} {
			r, err := d.Request(t.Context(), id)
			must(t, err)
			d.returned(t, r, 1, 0, d.clock.Now().Wall)
		}
	},
}

func liftOnce(t *testing.T, d trial) {
	Identify(t, d.DB, "shop", "user_id", "u1", "email", "u1@example.com")
	r := d.suppressed(t, "u1")
	found, err := d.CheckSuppressions(t.Context(), erasure.System, Identifiers("email", " U1@Example.com"))
	must(t, err)
	if found[0] == nil || found[0].Key != "email" || found[0].Until.Sub(found[0].Since) != store.DefaultSuppressFor {
		t.Fatalf("found is %+v", found[0])
	}
	lift := erasure.Lift{Fingerprint: found[0].Fingerprint, Request: r.ID, Reason: erasure.LiftAsked, Reference: "T-1"}
	_, err = d.Lift(t.Context(), erasure.System, erasure.Lift{Fingerprint: lift.Fingerprint, Request: r.ID, Reason: "ann@example.com"})
	WantCode(t, err, erasure.CodeInvalid)
	_, err = d.Lift(t.Context(), erasure.System, erasure.Lift{Fingerprint: lift.Fingerprint, Request: r.ID, Reason: erasure.LiftAsked, Reference: "a@b"})
	WantCode(t, err, erasure.CodeInvalid)
	s, err := d.Lift(t.Context(), erasure.System, lift)
	if err != nil || s.Request != r.ID {
		t.Fatalf("lifted is %+v, %v", s, err)
	}
	_, err = d.Lift(t.Context(), erasure.System, lift)
	WantCode(t, err, erasure.CodeNotFound)
	_, err = d.Suppression(t.Context(), lift.Fingerprint)
	WantCode(t, err, erasure.CodeNotFound)
	d.check(t, map[[2]string]bool{{"email", "u1@example.com"}: false, {"user_id", "u1"}: true})
	Identify(t, d.DB, "shop", "email", "u1@example.com")
	d.found(t, 1, "email", "u1@example.com")
	page, _, err := d.Activity(t.Context(), "", 10)
	must(t, err)
	kinds := map[erasure.Kind]int{}
	for _, a := range page {
		kinds[a.Kind]++
		if a.Kind == erasure.SuppressionLifted && (a.Reason != erasure.LiftAsked || *a.Request != r.ID) {
			t.Errorf("the log says %+v", a)
		}
	}
	if kinds[erasure.SuppressionLifted] != 1 || kinds[erasure.SuppressionsChecked] != 3 {
		t.Errorf("the log has %v", kinds)
	}
}

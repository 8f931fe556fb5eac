package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// requests is a request's life up to its claim.
var requests = behaviours{
	"a second request returns the first": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "a@example.com")
		first := Requested(t, d.DB, "user_id", "u1")
		if again := Requested(t, d.DB, "email", "a@example.com"); again.ID != first.ID {
			t.Errorf("a second request %s was made beside %s", again.ID, first.ID)
		}
		must(t, d.cancel(t, first.ID))
		if later := Requested(t, d.DB, "user_id", "u1"); later.ID == first.ID {
			t.Error("after a cancel no new request is made")
		}
	},
	"asked for again with suppression, a pending request suppresses": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		known, unknown := Requested(t, d.DB, "user_id", "u1").ID, d.asked(t, "u9", false).ID
		for range 2 {
			for user, id := range map[string]erasure.RequestID{"u1": known, "u9": unknown} {
				if r := d.asked(t, user, true); r.ID != id || !r.Suppress {
					t.Errorf("%s asked for with suppression is %+v", user, r)
				}
				if r := d.asked(t, user, false); !r.Suppress {
					t.Errorf("%s asked for without is %+v", user, r)
				}
			}
		}
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		for user, id := range map[string]erasure.RequestID{"u1": known, "u9": unknown} {
			d.logged(t, id, erasure.RequestCreated, erasure.SuppressionAdded, erasure.RequestClaimed, erasure.KeysDestroyed, erasure.RequestCompleted)
			if o := Identify(t, d.DB, "shop", "user_id", user); o.Outcome != store.Suppressed {
				t.Errorf("what came back of %s was %s", user, o.Outcome)
			}
		}
	},
	"asked for again with suppression, a claimed request goes on as it is": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		id := Requested(t, d.DB, "user_id", "u1").ID
		d.clock.Advance(window)
		_, err := d.ClaimDue(t.Context(), 10)
		must(t, err)
		if r := d.asked(t, "u1", true); r.ID != id || r.Suppress {
			t.Errorf("it is %+v", r)
		}
		EraseAll(t, d.DB)
		d.logged(t, id, erasure.RequestCreated, erasure.RequestClaimed, erasure.KeysDestroyed, erasure.RequestCompleted)
		if o := Identify(t, d.DB, "shop", "user_id", "u1"); o.Outcome == store.Suppressed {
			t.Errorf("what came back was %s", o.Outcome)
		}
	},
	"a request for nobody is refused": func(t *testing.T, d trial) {
		_, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: Identifiers("user_id", "nobody")[0], Origin: erasure.API})
		WantCode(t, err, erasure.CodeNotFound)
	},
	"a cancel by the User ID of a group, said to be a person's, ends nothing": func(t *testing.T, d trial) {
		Tell(t, d.DB, ingest.Call{Kind: ingest.Group, Table: erasure.User, Source: "crm", Identifiers: Identifiers("user_id", "u1"),
			GroupIdentifiers: []erasure.Identifier{{Table: erasure.Group, Key: "group_id", Value: "g1"}}})
		asked := erasure.Identifier{Table: erasure.Group, Key: "group_id", Value: "g1"}
		r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: asked, Origin: erasure.API, Actor: erasure.System})
		must(t, err)
		byID := func(table erasure.Table) error {
			_, err := d.CancelByIdentifier(t.Context(), erasure.Identifier{Table: table, Key: erasure.KeyEffaceID, Value: r.EffaceID.String()},
				erasure.System, erasure.API)
			return err
		}
		WantCode(t, byID(erasure.User), erasure.CodeNotPending)
		d.is(t, erasure.Pending, r.ID)
		must(t, byID(erasure.Group))
	},
	"an identifier that leads to two people erases neither": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "shared@example.com")
		Identify(t, d.DB, "shop", "user_id", "u2", "email", "shared@example.com")
		_, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: Identifiers("email", "shared@example.com")[0], Origin: erasure.API})
		WantCode(t, err, erasure.CodeShared)
	},
	"until its window has passed a request is cancelled and not claimed": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		r := Requested(t, d.DB, "user_id", "u1")
		d.clock.Advance(window - time.Millisecond)
		if n, err := d.ClaimDue(t.Context(), 10); err != nil || n != 0 {
			t.Fatalf("%d requests are claimed before their time, %v", n, err)
		}
		must(t, d.cancel(t, r.ID))
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		d.is(t, erasure.Cancelled, r.ID)
		d.logged(t, r.ID, erasure.RequestCreated, erasure.RequestCancelled)
		One(t, d.DB, "user_id", "u1")
		WantCode(t, d.cancel(t, r.ID), erasure.CodeNotPending)
	},
	"once its window has passed a request is claimed and not cancelled": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		r := Requested(t, d.DB, "user_id", "u1")
		d.clock.Advance(window)
		WantCode(t, d.cancel(t, r.ID), erasure.CodeTooLate) // also before a runner has looked
		d.is(t, erasure.Pending, r.ID)
		if n, err := d.ClaimDue(t.Context(), 10); err != nil || n != 1 {
			t.Fatalf("%d requests are claimed, %v", n, err)
		}
		WantCode(t, d.cancel(t, r.ID), erasure.CodeTooLate)
		d.is(t, erasure.InProgress, r.ID)
		d.logged(t, r.ID, erasure.RequestCreated, erasure.RequestClaimed)
		if n, err := d.ClaimDue(t.Context(), 10); err != nil || n != 0 {
			t.Errorf("%d requests are claimed twice, %v", n, err)
		}
	},
	"a window is measured in the store's time, whatever the wall clock says": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		r := Requested(t, d.DB, "user_id", "u1")
		if !r.CancelBefore.Equal(Start.Add(window)) {
			t.Errorf("it may be cancelled until %s", r.CancelBefore)
		}
		d.clock.SetWall(Start.AddDate(1, 0, 0))
		EraseAll(t, d.DB)
		d.is(t, erasure.Pending, r.ID)
		d.clock.SetWall(Start.AddDate(-1, 0, 0))
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		d.is(t, erasure.Completed, r.ID)
	},
	"the ones that are due first are claimed first": func(t *testing.T, d trial) {
		var ids []erasure.RequestID
		for _, user := range []string{"u1", "u2", "u3"} {
			Identify(t, d.DB, "shop", "user_id", user)
			ids = append(ids, Requested(t, d.DB, "user_id", user).ID)
			d.clock.Advance(time.Second)
		}
		d.clock.Advance(window)
		if n, err := d.ClaimDue(t.Context(), 2); err != nil || n != 2 {
			t.Fatalf("%d requests are claimed, not 2, %v", n, err)
		}
		d.is(t, erasure.InProgress, ids[:2]...)
		d.is(t, erasure.Pending, ids[2])
	},
	"a claim takes fewer of those that suppress much": func(t *testing.T, d trial) {
		for _, user := range []string{"u1", "u2", "u3"} {
			for kind := range 21 {
				pairs := []string{"user_id", user}
				for n := range 49 {
					pairs = append(pairs, fmt.Sprint("kind_", kind), fmt.Sprint(user, "-", n))
				}
				Identify(t, d.DB, "shop", pairs...)
			}
			_, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: Identifiers("user_id", user)[0], Suppress: true, Origin: erasure.API})
			must(t, err)
		}
		d.clock.Advance(window)
		for _, want := range []int{2, 1, 0} {
			if n, err := d.ClaimDue(t.Context(), 10); err != nil || n != want {
				t.Fatalf("%d requests are claimed, not %d, %v", n, want, err)
			}
		}
	},
	"requests are listed newest first, a page at a time": func(t *testing.T, d trial) {
		var made []erasure.RequestID
		for _, user := range []string{"u1", "u2", "u3", "u4", "u5"} {
			Identify(t, d.DB, "shop", "user_id", user)
			made = append([]erasure.RequestID{Requested(t, d.DB, "user_id", user).ID}, made...)
			d.clock.Advance(time.Second)
		}
		var listed []erasure.RequestID
		for f := (erasure.RequestFilter{Limit: 2}); ; {
			page, next, err := d.Requests(t.Context(), f)
			must(t, err)
			for _, r := range page {
				listed = append(listed, r.ID)
			}
			if f.Cursor = next; next == "" {
				break
			}
		}
		if len(listed) != len(made) {
			t.Fatalf("%d requests are listed, not %d", len(listed), len(made))
		}
		for i := range made {
			if listed[i] != made[i] {
				t.Errorf("request %d of the list is %s, not %s", i, listed[i], made[i])
			}
		}
	},
}

// asked asks for a user, whoever that is.
func (d trial) asked(t *testing.T, user string, suppress bool) erasure.Request {
	t.Helper()
	r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: Identifiers("user_id", user)[0],
		Unknown: true, Suppress: suppress, Origin: erasure.June, Actor: erasure.System})
	must(t, err)
	return r
}

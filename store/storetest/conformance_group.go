package storetest

import (
	"fmt"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// groups is who is a member of what, and what of it an erasure takes.
var groups = behaviours{
	"a group call makes its person a member, once": func(t *testing.T, d trial) {
		for i := range 3 {
			Join(t, d.DB, "u1", "g1")
			d.join(t, ingest.Call{MessageID: "m1", Identifiers: Identifiers("user_id", "u1"), GroupIdentifiers: GroupIdentifiers("group_id", "g1")})
			d.join(t, ingest.Call{MessageID: fmt.Sprint("n", i), Identifiers: Identifiers("user_id", "u1"), GroupIdentifiers: GroupIdentifiers("group_id", "g1")})
		}
		Join(t, d.DB, "u2", "g1")
		Join(t, d.DB, "u2", "g2")
		d.memberships(t, map[string]int{"g1": 2, "g2": 1}, map[string]int{"u1": 1, "u2": 2})
	},
	"members that become one person are one member": func(t *testing.T, d trial) {
		for _, c := range [][2]string{{"a1", "g1"}, {"a1", "g2"}} {
			d.join(t, ingest.Call{Identifiers: Identifiers("anonymous_id", c[0]), GroupIdentifiers: GroupIdentifiers("group_id", c[1])})
		}
		Join(t, d.DB, "u1", "g2")
		Join(t, d.DB, "u1", "g3")
		d.memberships(t, map[string]int{"g1": 1, "g2": 2, "g3": 1}, nil)
		Identify(t, d.DB, "shop", "user_id", "u1", "anonymous_id", "a1")
		d.memberships(t, map[string]int{"g1": 1, "g2": 1, "g3": 1}, map[string]int{"u1": 3})
	},
	"groups that become one have each member once": func(t *testing.T, d trial) {
		for _, user := range []string{"u1", "u2"} {
			d.join(t, ingest.Call{Identifiers: Identifiers("user_id", user), GroupIdentifiers: GroupIdentifiers("hubspot_id", "h1")})
		}
		Join(t, d.DB, "u2", "g1")
		Join(t, d.DB, "u3", "g1")
		Tell(t, d.DB, ingest.Call{Kind: ingest.Identify, Table: erasure.Group, Source: "crm", Identifiers: GroupIdentifiers("group_id", "g1", "hubspot_id", "h1")})
		d.memberships(t, map[string]int{"g1": 3}, map[string]int{"u1": 1, "u2": 1, "u3": 1})
	},
	"a group's erasure takes its memberships and leaves its members": func(t *testing.T, d trial) {
		const members = 30
		Members(t, d.DB, "g1", members)
		Join(t, d.DB, "u0", "g2")
		r := d.requestGroup(t, "g1", false)
		d.clock.Advance(window)
		_, err := d.ClaimDue(t.Context(), 10)
		must(t, err)
		d.memberships(t, map[string]int{"g2": 1}, map[string]int{"u0": 1, "u1": 0}) // absent from the claim on
		_, _, err = d.DestroyKeys(t.Context(), 10)
		must(t, err)
		commits := 0
		for more := true; more; commits++ {
			_, more, err = d.DeleteRows(t.Context(), 10)
			must(t, err)
		}
		if commits < members/10 {
			t.Errorf("%d memberships went in %d commits of 10 rows", members, commits)
		}
		d.is(t, erasure.Completed, r.ID)
		for i := range members {
			if p := One(t, d.DB, "user_id", PersonID(i)); p.Sources[0].Identifiers != 1 {
				t.Errorf("of a member %+v is left", p)
			}
		}
		d.memberships(t, map[string]int{"g2": 1}, map[string]int{"u0": 1, "u1": 0})
		if got, err := d.Request(t.Context(), r.ID); err != nil || got.Table != erasure.Group || got.Identifiers != 1 || got.Records != 0 {
			t.Errorf("what was erased is %+v, %v", got, err)
		}
	},
	"a member's erasure leaves the group with one less": func(t *testing.T, d trial) {
		Join(t, d.DB, "u1", "g1")
		Join(t, d.DB, "u2", "g1")
		r := Requested(t, d.DB, "user_id", "u1")
		d.memberships(t, map[string]int{"g1": 2}, nil)
		d.clock.Advance(window)
		_, err := d.ClaimDue(t.Context(), 10)
		must(t, err)
		d.memberships(t, map[string]int{"g1": 1}, nil)
		EraseAll(t, d.DB)
		d.is(t, erasure.Completed, r.ID)
		d.memberships(t, map[string]int{"g1": 1}, map[string]int{"u2": 1})
	},
	"who comes back is a member only by what comes then": func(t *testing.T, d trial) {
		Join(t, d.DB, "u1", "g1")
		Join(t, d.DB, "u2", "g1")
		d.requestGroup(t, "g1", false)
		d.clock.Advance(window)
		_, err := d.ClaimDue(t.Context(), 10)
		must(t, err)
		Join(t, d.DB, "u1", "g1")
		d.memberships(t, map[string]int{"g1": 1}, map[string]int{"u1": 1, "u2": 0})
		EraseAll(t, d.DB)
		d.memberships(t, map[string]int{"g1": 1}, map[string]int{"u1": 1, "u2": 0})
	},
	"what is suppressed on either side makes no membership": func(t *testing.T, d trial) {
		Join(t, d.DB, "u1", "g1")
		Join(t, d.DB, "u2", "g2")
		d.eraseAndSuppress(t, "u1")
		d.requestGroup(t, "g2", true)
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		for _, c := range [][2]string{{"u1", "g1"}, {"u2", "g2"}, {"u1", "g2"}} {
			Join(t, d.DB, c[0], c[1])
		}
		d.found(t, 0, "user_id", "u1")
		if found, err := d.Find(t.Context(), GroupIdentifiers("group_id", "g2")[0]); err != nil || len(found) != 0 {
			t.Errorf("the group leads to %d profiles, %v", len(found), err)
		}
		d.memberships(t, map[string]int{"g1": 0}, map[string]int{"u2": 0})
	},
	"a person does not wait for a group with many members": func(t *testing.T, d trial) {
		Members(t, d.DB, "g1", 150)
		many := d.requestGroup(t, "g1", false).ID
		d.tellRecords(t, "few", 3)
		few := Requested(t, d.DB, "user_id", "few").ID
		d.clock.Advance(window)
		_, err := d.ClaimDue(t.Context(), 10)
		must(t, err)
		_, _, err = d.DestroyKeys(t.Context(), 10)
		must(t, err)
		_, more, err := d.DeleteRows(t.Context(), 100)
		must(t, err)
		if !more {
			t.Error("a hundred and fifty memberships went in a commit of 100 rows")
		}
		d.is(t, erasure.Completed, few)
		d.is(t, erasure.InProgress, many)
		EraseAll(t, d.DB)
		d.is(t, erasure.Completed, many)
	},
}

// Join tells of a person as a member of a group.
func Join(t testing.TB, db *store.DB, userID, groupID string) store.Result {
	t.Helper()
	return Tell(t, db, joining(userID, groupID))
}

func joining(userID, groupID string) ingest.Call {
	return ingest.Call{Kind: ingest.Group, Table: erasure.User, Source: "shop",
		Identifiers: Identifiers("user_id", userID), GroupIdentifiers: GroupIdentifiers("group_id", groupID), GroupID: groupID}
}

// Members makes the first n of [People] members of a group.
func Members(t testing.TB, db *store.DB, groupID string, n int) {
	t.Helper()
	calls := make([]ingest.Call, n)
	for i := range calls {
		calls[i] = joining(PersonID(i), groupID)
	}
	if _, err := db.Ingest(t.Context(), calls); err != nil {
		t.Fatalf("storing members: %v", err)
	}
}

// GroupIdentifiers makes identifiers of the table group from keys and values.
func GroupIdentifiers(pairs ...string) []erasure.Identifier {
	ids := Identifiers(pairs...)
	for i := range ids {
		ids[i].Table = erasure.Group
	}
	return ids
}

// join tells of a membership by other identifiers than [Join] does.
func (d trial) join(t *testing.T, c ingest.Call) {
	t.Helper()
	c.Kind, c.Table, c.Source = ingest.Group, erasure.User, "shop"
	if r := Tell(t, d.DB, c); r.Err != nil {
		t.Fatal(r.Err)
	}
}

func (d trial) requestGroup(t *testing.T, groupID string, suppress bool) erasure.Request {
	t.Helper()
	r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: GroupIdentifiers("group_id", groupID)[0], Suppress: suppress, Origin: erasure.June})
	must(t, err)
	return r
}

// memberships fails the test unless groups have so many members, and people
// are in so many groups.
func (d trial) memberships(t *testing.T, members, groups map[string]int) {
	t.Helper()
	check := func(id erasure.Identifier, want int) {
		t.Helper()
		found, err := d.Find(t.Context(), id)
		if err != nil || len(found) != 1 {
			t.Fatalf("%s %s leads to %d profiles, %v", id.Key, id.Value, len(found), err)
		}
		p, err := d.Profile(t.Context(), erasure.System, found[0].EffaceID)
		if err != nil || p.Memberships != want {
			t.Errorf("%s %s has %d memberships, not %d, %v", id.Key, id.Value, p.Memberships, want, err)
		}
	}
	for group, want := range members {
		check(GroupIdentifiers("group_id", group)[0], want)
	}
	for user, want := range groups {
		check(Identifiers("user_id", user)[0], want)
	}
}

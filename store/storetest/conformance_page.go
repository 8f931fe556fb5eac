package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// pages is what a page of requests shows, and what it leaves in the log.
var pages = behaviours{
	"a table's requests are listed by the number of their page, newest first": func(t *testing.T, d trial) {
		var made []erasure.RequestID
		for _, user := range []string{"u1", "u2", "u3", "u4", "u5"} {
			made = append([]erasure.RequestID{d.waiting(t, "user_id", user).ID}, made...)
			d.clock.Advance(time.Second)
		}
		must(t, d.cancel(t, made[1]))
		made = slices.Delete(made, 1, 2)
		group := d.ofGroup(t, "g1")
		for _, c := range []struct {
			table        erasure.Table
			number, size int
			want         []erasure.RequestID
			total        int
		}{
			{erasure.User, 1, 3, made[:3], 4}, {erasure.User, 2, 3, made[3:], 4}, {erasure.User, 2, 2, made[2:], 4}, {erasure.User, 3, 2, nil, 4},
			{erasure.User, 1, 50, made, 4}, {erasure.User, 1 << 62, 50, nil, 4}, {erasure.Group, 1, 50, []erasure.RequestID{group.ID}, 1},
		} {
			listed, total := d.page(t, store.RequestPage{Table: c.table, States: uncancelled, Key: "user_id", Number: c.number, Size: c.size})
			if ids := idsOf(listed); !slices.Equal(ids, c.want) || total != c.total {
				t.Errorf("page %d of %d for %ss has %v of %d, not %v of %d", c.number, c.size, c.table, ids, total, c.want, c.total)
			}
		}
	},
	"a page has the requests of its states alone": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		done := Requested(t, d.DB, "user_id", "u1").ID
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		claimed := d.waiting(t, "user_id", "u2").ID
		d.clock.Advance(window)
		_, err := d.ClaimDue(t.Context(), 10)
		must(t, err)
		pending := d.waiting(t, "user_id", "u3").ID
		for _, c := range []struct {
			states []erasure.State
			want   []erasure.RequestID
		}{
			{uncancelled, []erasure.RequestID{pending, claimed, done}}, {[]erasure.State{erasure.Pending}, []erasure.RequestID{pending}},
			{[]erasure.State{erasure.InProgress, erasure.Failed}, []erasure.RequestID{claimed}}, {[]erasure.State{erasure.Cancelled}, nil},
			{[]erasure.State{erasure.Completed, erasure.Pending}, []erasure.RequestID{pending, done}},
		} {
			listed, total := d.page(t, pageOf(c.states...))
			if ids := idsOf(listed); !slices.Equal(ids, c.want) || total != len(c.want) {
				t.Errorf("in %v are %v of %d, not %v", c.states, ids, total, c.want)
			}
		}
	},
	"a page shows the value asked for, else one that the profile holds, until it is erased": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", " u1", "email", "a@example.com")
		Identify(t, d.DB, "shop", "email", "b@example.com")
		for _, asked := range [][2]string{{"email", "a@example.com"}, {"email", "b@example.com"}, {"email", "nobody@example.com"}, {"user_id", "u9 "}} {
			d.waiting(t, asked[0], asked[1])
			d.clock.Advance(time.Second)
		}
		d.shows(t, "u9", "", "", "u1")
		d.clock.Advance(window)
		_, err := d.ClaimDue(t.Context(), 10)
		must(t, err)
		d.shows(t, "u9", "", "", "u1") // what is not erased yet
		EraseAll(t, d.DB)
		d.shows(t, "", "", "", "")
	},
	"each person that a page shows was looked at once": func(t *testing.T, d trial) {
		first, _ := d.joined(t)
		d.clock.Advance(time.Second)
		d.waiting(t, "user_id", "u9")
		d.clock.Advance(time.Second)
		d.waiting(t, "email", "nobody@example.com")
		d.shows(t, "", "u9", "u1", "u1")
		if n := d.looks(t); n != 2 {
			t.Errorf("%d looks are logged for two people", n)
		}
		d.page(t, pageOf(erasure.Completed))
		if n := d.looks(t); n != 2 {
			t.Errorf("a page that shows nobody logs %d looks", n-2)
		}
		must(t, d.cancel(t, first))
		d.clock.Advance(time.Hour)
		d.shows(t, "", "u9")
		if n := d.looks(t); n != 3 {
			t.Errorf("%d looks are logged for a second page with one person", n-2)
		}
	},
	"a page that is asked for again within an hour is no further look": func(t *testing.T, d trial) {
		d.waiting(t, "user_id", "u9")
		other := erasure.Actor{Kind: erasure.ByKey, ID: LiveKey(t, d.DB)}
		for i, step := range []struct {
			does  func()
			looks int
		}{
			{func() {}, 1},
			{func() { d.clock.Advance(time.Hour - time.Second) }, 1},
			{func() { d.pageOf(t, other) }, 2},
			{func() { Identify(t, d.DB, "shop", "user_id", "u9") }, 3}, // now it is known whom it is about
			{func() { d.clock.Advance(time.Hour - time.Second) }, 3},
			{func() { d.clock.Advance(time.Second) }, 4},
		} {
			step.does()
			d.shows(t, "u9")
			if n := d.looks(t); n != step.looks {
				t.Errorf("after step %d there are %d looks, not %d", i, n, step.looks)
			}
		}
		d.pageOf(t, other)
		must(t, d.RevokeKey(t.Context(), erasure.System, other.ID.String()))
		_, _, err := d.RequestPage(t.Context(), other, pageOf(uncancelled...))
		WantCode(t, err, erasure.CodeUnauthorized)
	},
	"who may look no more is shown nobody": func(t *testing.T, d trial) {
		d.waiting(t, "user_id", "u9")
		key := erasure.Actor{Kind: erasure.ByKey, ID: LiveKey(t, d.DB)}
		must(t, d.RevokeKey(t.Context(), erasure.System, key.ID.String()))
		listed, _, err := d.RequestPage(t.Context(), key, pageOf(uncancelled...))
		WantCode(t, err, erasure.CodeUnauthorized)
		if len(listed) != 0 || d.looks(t) != 0 {
			t.Errorf("a revoked key is shown %d requests, and %d looks are logged", len(listed), d.looks(t))
		}
	},
}

var uncancelled = []erasure.State{erasure.Pending, erasure.InProgress, erasure.Failed, erasure.Completed}

func pageOf(states ...erasure.State) store.RequestPage {
	return store.RequestPage{Table: erasure.User, States: states, Key: "user_id", Number: 1, Size: 50}
}

func (d trial) page(t *testing.T, p store.RequestPage) ([]store.ListedRequest, int) {
	t.Helper()
	listed, total, err := d.RequestPage(t.Context(), erasure.System, p)
	must(t, err)
	return listed, total
}

// pageOf lets another actor see the first page.
func (d trial) pageOf(t *testing.T, actor erasure.Actor) {
	t.Helper()
	_, _, err := d.RequestPage(t.Context(), actor, pageOf(uncancelled...))
	must(t, err)
}

func idsOf(listed []store.ListedRequest) (ids []erasure.RequestID) {
	for _, r := range listed {
		ids = append(ids, r.ID)
	}
	return ids
}

// shows fails the test unless the first page has these values.
func (d trial) shows(t *testing.T, want ...string) {
	t.Helper()
	var values []string
	listed, _ := d.page(t, pageOf(uncancelled...))
	for _, r := range listed {
		values = append(values, r.Value)
	}
	if !slices.Equal(values, want) {
		t.Errorf("the page shows %q, not %q", values, want)
	}
}

// looks counts the looks that are logged.
func (d trial) looks(t *testing.T) (n int) {
	t.Helper()
	entries, _, err := d.Activity(t.Context(), "", 50)
	must(t, err)
	for _, e := range entries {
		if e.Kind == erasure.ProfileViewed {
			n++
		}
	}
	return n
}

// ofGroup asks for the erasure of a group.
func (d trial) ofGroup(t *testing.T, id string) erasure.Request {
	t.Helper()
	group := erasure.Identifier{Table: erasure.Group, Key: erasure.KeyGroupID, Value: id}
	Tell(t, d.DB, ingest.Call{Kind: ingest.Identify, Table: erasure.Group, Source: "crm", Identifiers: []erasure.Identifier{group}})
	r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: group, Origin: erasure.API, Actor: erasure.System})
	must(t, err)
	return r
}

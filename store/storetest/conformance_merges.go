package storetest

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// shownMerges is what a look at a profile tells of how it came together.
var shownMerges = behaviours{
	"a merge tells which identifier joined whom": func(t *testing.T, d trial) {
		a, u := d.two(t)
		Identify(t, d.DB, "web", "user_id", "u1", "anonymous_id", "a1")
		d.mergesOf(t, erasure.Merge{At: d.clock.Now().Wall, Survivor: a, Other: u, Key: "anonymous_id", Value: "a1"})
	},
	"a merge shows the identifier as it was given": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "email", "ann@example.com")
		e := One(t, d.DB, "email", "ann@example.com").EffaceID
		Identify(t, d.DB, "shop", "user_id", "u1")
		u := One(t, d.DB, "user_id", "u1").EffaceID
		Identify(t, d.DB, "shop", "user_id", "u1", "email", " Ann@Example.com")
		d.mergesOf(t, erasure.Merge{At: d.clock.Now().Wall, Survivor: e, Other: u, Key: "email", Value: " Ann@Example.com"})
	},
	"an alias and a User ID join too": func(t *testing.T, d trial) {
		a, u := d.two(t)
		Tell(t, d.DB, ingest.Call{Kind: ingest.Alias, Table: erasure.User, Source: "web", PreviousID: "a1", Identifiers: Identifiers("user_id", "u1")})
		alias := erasure.Merge{At: d.clock.Now().Wall, Survivor: a, Other: u, Key: "anonymous_id", Value: "a1", Alias: true}
		d.mergesOf(t, alias)
		Identify(t, d.DB, "web", "clevertap_id", "c1")
		c := One(t, d.DB, "clevertap_id", "c1").EffaceID
		Identify(t, d.DB, "import", "clevertap_id", "c1", "efface_id", a.String())
		d.mergesOf(t, erasure.Merge{At: d.clock.Now().Wall, Survivor: a, Other: c, Key: "clevertap_id", Value: "c1"}, alias)
		Identify(t, d.DB, "web", "email", "x@example.com", "phone", "+49301234567")
		x := One(t, d.DB, "email", "x@example.com").EffaceID
		Identify(t, d.DB, "web", "email", "y@example.com")
		y := One(t, d.DB, "email", "y@example.com").EffaceID
		Identify(t, d.DB, "import", "efface_id", y.String(), "email", "x@example.com")
		p, err := d.Profile(t.Context(), erasure.System, x)
		if err != nil || len(p.Merges) != 1 || p.Merges[0].Other != y || p.Merges[0].Key != "email" {
			t.Errorf("the merge by User ID tells %+v, %v", p.Merges, err)
		}
	},
	"merges go along with a later one, the newest first": func(t *testing.T, d trial) {
		a, u := d.two(t)
		Identify(t, d.DB, "web", "clevertap_id", "c1")
		c := One(t, d.DB, "clevertap_id", "c1").EffaceID
		Identify(t, d.DB, "web", "user_id", "u1", "clevertap_id", "c1")
		first := erasure.Merge{At: d.clock.Now().Wall, Survivor: u, Other: c, Key: "clevertap_id", Value: "c1"}
		d.clock.Advance(window)
		Identify(t, d.DB, "web", "user_id", "u1", "anonymous_id", "a1")
		d.mergesOf(t, erasure.Merge{At: d.clock.Now().Wall, Survivor: a, Other: u, Key: "anonymous_id", Value: "a1"}, first)
	},
	"a refused merge shows whom it waits for, and after the cancel what joined them": func(t *testing.T, d trial) {
		a, u := d.two(t)
		r := Requested(t, d.DB, "user_id", "u1")
		Identify(t, d.DB, "web", "user_id", "u1", "anonymous_id", "a1")
		for id, other := range map[uuid.UUID]uuid.UUID{a: u, u: a} {
			p, err := d.Profile(t.Context(), erasure.System, id)
			if err != nil || !slices.Equal(p.Refused, []uuid.UUID{other}) || len(p.Merges) != 0 {
				t.Errorf("%v waits for %v and has %v, %v", id, p.Refused, p.Merges, err)
			}
		}
		d.clock.Advance(window / 2)
		must(t, d.cancel(t, r.ID))
		d.mergesOf(t, erasure.Merge{At: d.clock.Now().Wall, Survivor: a, Other: u, Key: "anonymous_id", Value: "a1"})
	},
	"what only a refused merge shares still joins": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "email", "ann@example.com")
		Identify(t, d.DB, "shop", "user_id", "u1")
		Identify(t, d.DB, "web", "anonymous_id", "a1")
		r := Requested(t, d.DB, "user_id", "u1")
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "ann@example.com")
		d.found(t, 2, "email", "ann@example.com")
		Identify(t, d.DB, "web", "anonymous_id", "a1", "email", "ann@example.com")
		must(t, d.cancel(t, r.ID))
		if p := One(t, d.DB, "email", "ann@example.com"); p.EffaceID != One(t, d.DB, "user_id", "u1").EffaceID || len(p.Former) != 2 {
			t.Errorf("after the cancel it leads to %+v", p)
		}
	},
	"while a merge waits, neither takes a user_id that the other could not": func(t *testing.T, d trial) {
		_, u := d.two(t)
		r := Requested(t, d.DB, "anonymous_id", "a1")
		Identify(t, d.DB, "web", "user_id", "u1", "anonymous_id", "a1")
		Identify(t, d.DB, "web", "user_id", "u2", "anonymous_id", "a1")
		if p := One(t, d.DB, "user_id", "u2"); p.EffaceID == *r.EffaceID {
			t.Error("u2 is told of whom u1 waits for")
		}
		must(t, d.cancel(t, r.ID))
		if p := One(t, d.DB, "anonymous_id", "a1"); !slices.Equal(p.Former, []uuid.UUID{u}) || p.EffaceID != One(t, d.DB, "user_id", "u1").EffaceID {
			t.Errorf("after the cancel a1 leads to %+v", p)
		}
	},
	"a profile that is being erased is waited for by nobody": func(t *testing.T, d trial) {
		a, _ := d.two(t)
		Requested(t, d.DB, "user_id", "u1")
		Identify(t, d.DB, "web", "user_id", "u1", "anonymous_id", "a1")
		d.clock.Advance(window)
		_, err := d.ClaimDue(t.Context(), 10)
		must(t, err)
		if p, err := d.Profile(t.Context(), erasure.System, a); err != nil || len(p.Refused) != 0 {
			t.Errorf("it waits for %v, %v", p.Refused, err)
		}
	},
}

// two tells of somebody with the anonymous_id a1, then of the user u1.
func (d trial) two(t *testing.T) (a, u uuid.UUID) {
	t.Helper()
	Identify(t, d.DB, "web", "anonymous_id", "a1")
	Identify(t, d.DB, "shop", "user_id", "u1")
	return One(t, d.DB, "anonymous_id", "a1").EffaceID, One(t, d.DB, "user_id", "u1").EffaceID
}

// mergesOf checks what u1's profile tells of how it came together.
func (d trial) mergesOf(t *testing.T, want ...erasure.Merge) {
	t.Helper()
	p, err := d.Profile(t.Context(), erasure.System, One(t, d.DB, "user_id", "u1").EffaceID)
	must(t, err)
	for i := range want {
		want[i].At = want[i].At.UTC()
	}
	if !slices.Equal(p.Merges, want) {
		t.Errorf("the merges are\n%+v, not\n%+v", p.Merges, want)
	}
	if len(p.Former) != len(want) {
		t.Errorf("%d merges made %d former User IDs", len(want), len(p.Former))
	}
}

package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// merges is what becomes of profiles and their User IDs when they join, and of
// calls that were seen or may not be kept.
var merges = behaviours{
	"a refused merge is tried again after a cancel": func(t *testing.T, d trial) {
		d.refusedMerge(t, []string{"anonymous_id", "p"}, []string{"user_id", "u1", "anonymous_id", "p"})
	},
	"a refused alias is tried again after a cancel": func(t *testing.T, d trial) {
		d.refusedMerge(t, []string{"user_id", "p"}, []string{"alias p", "user_id", "u1"})
	},
	"a former User ID leads to the one that stays, and confirms nothing": func(t *testing.T, d trial) {
		Identify(t, d.DB, "web", "anonymous_id", "a1")
		Identify(t, d.DB, "shop", "user_id", "u1")
		former := One(t, d.DB, "user_id", "u1").EffaceID
		Identify(t, d.DB, "web", "anonymous_id", "a1", "user_id", "u1")
		p := One(t, d.DB, "user_id", "u1")
		if p.EffaceID == former || !slices.Equal(p.Former, []uuid.UUID{former}) {
			t.Fatalf("the older profile did not stay: %+v", p)
		}
		if again, err := d.Profile(t.Context(), erasure.System, former); err != nil || again.EffaceID != p.EffaceID {
			t.Errorf("the former User ID leads to %v, %v", again.EffaceID, err)
		}
		_, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{EffaceID: &former, Origin: erasure.Console})
		WantCode(t, err, erasure.CodeConflict)
		r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{EffaceID: &p.EffaceID, Origin: erasure.Console})
		must(t, err)
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		d.is(t, erasure.Completed, r.ID)
		_, err = d.Profile(t.Context(), erasure.System, former)
		WantCode(t, err, erasure.CodeNotFound)
	},
	"a User ID is given by Efface alone": func(t *testing.T, d trial) {
		r := Identify(t, d.DB, "import", "efface_id", uuid.NewString(), "email", "x@example.com")
		WantCode(t, r.Err, erasure.CodeInvalid)
		Identify(t, d.DB, "shop", "user_id", "u1")
		p := One(t, d.DB, "user_id", "u1")
		Identify(t, d.DB, "import", "efface_id", p.EffaceID.String(), "email", "x@example.com")
		if got := One(t, d.DB, "email", "x@example.com"); got.EffaceID != p.EffaceID {
			t.Errorf("the User ID led to %v", got.EffaceID)
		}
	},
	"what was seen adds nothing": whatWasSeen,
	"what is suppressed is left out": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "shared@example.com", "email", "own@example.com")
		Identify(t, d.DB, "shop", "user_id", "u2", "email", "shared@example.com")
		d.eraseAndSuppress(t, "u1")
		for pairs, n := range map[[2]string]int{{"user_id", "u1"}: 0, {"email", "own@example.com"}: 0, {"email", "shared@example.com"}: 1} {
			Identify(t, d.DB, "shop", pairs[0], pairs[1])
			d.found(t, n, pairs[0], pairs[1])
		}
		Identify(t, d.DB, "shop", "user_id", "u1", "anonymous_id", "a1") // from a new device
		d.found(t, 0, "anonymous_id", "a1")
		Identify(t, d.DB, "shop", "anonymous_id", "a2", "email", "a2@example.com")
		Tell(t, d.DB, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: "shop", Identifiers: Identifiers("user_id", "u1", "anonymous_id", "a2"),
			Record: []byte(`{"type":"track","context":{"ip":"192.0.2.1","traits":{"email":"own@example.com"},"externalIds":[{"id":"u1"}]}}`)})
		if p := One(t, d.DB, "anonymous_id", "a2"); p.Records != 1 {
			t.Errorf("somebody else's device has %d records", p.Records)
		}
		Identify(t, d.DB, "shop", "user_id", "u4", "anonymous_id", "a2", "email", "own@example.com") // a stronger one that nobody had
		d.found(t, 1, "user_id", "u4")
		d.found(t, 0, "email", "own@example.com")
		Tell(t, d.DB, ingest.Call{Kind: ingest.Alias, Table: erasure.User, Source: "shop", PreviousID: "u1",
			Identifiers: Identifiers("user_id", "u3")})
		d.found(t, 0, "user_id", "u1")
		d.found(t, 0, "anonymous_id", "u1")
	},
	"what is suppressed is told of nobody else": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "ann", "email", "ann@example.com", "phone", "+49301234567")
		Identify(t, d.DB, "shop", "user_id", "bob", "phone", "+49301234567")
		d.eraseAndSuppress(t, "ann")
		for _, pairs := range [][]string{
			{"user_id", "ann", "phone", "+49301234567"},
			{"user_id", "ann", "email", "ann.new@example.com"},
			{"email", "ann@example.com", "phone", "+49301234567"},
		} {
			r := Tell(t, d.DB, ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: "crm", Identifiers: Identifiers(pairs...),
				Traits: map[string]jsontext.Value{"name": jsontext.Value(`"Ann"`)}})
			if r.Outcome != store.Suppressed {
				t.Errorf("%v is %s", pairs, r.Outcome)
			}
		}
		if bob := One(t, d.DB, "user_id", "bob"); len(bob.Sources) != 1 {
			t.Errorf("what was told of Ann is held of Bob: %+v", bob.Sources)
		}
		d.found(t, 0, "email", "ann.new@example.com")
	},
	"an identifier that very many share joins nobody and holds up nothing": func(t *testing.T, d trial) {
		const n = 250
		tell := func() (added int) {
			var calls []ingest.Call
			for i := range n {
				calls = append(calls, ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: "crm", MessageID: fmt.Sprint(i),
					Identifiers: Identifiers("user_id", fmt.Sprint("u", i), "email", "none@example.com", "hubspot_id", fmt.Sprint("h", i))})
			}
			results, err := d.Ingest(t.Context(), calls)
			must(t, err)
			for _, r := range results {
				if r.Outcome == store.Added {
					added++
				}
			}
			return added
		}
		if added := tell(); added != n {
			t.Errorf("%d of %d people are added", added, n)
		}
		if added := tell(); added != 0 {
			t.Errorf("%d are added twice", added)
		}
		d.found(t, n, "email", "none@example.com")
		last := fmt.Sprint("h", n-1)
		Identify(t, d.DB, "shop", "email", "none@example.com", "hubspot_id", last)
		if p := One(t, d.DB, "hubspot_id", last); len(p.Sources) != 2 {
			t.Errorf("what came with both went to another than the one that both lead to: %+v", p.Sources)
		}
	},
	"a source may tell very many identifiers of one": func(t *testing.T, d trial) {
		for range 2 {
			for i := range 75 {
				Identify(t, d.DB, "shop", "user_id", "u1", "anonymous_id", fmt.Sprint("a", i), "hubspot_id", fmt.Sprint("h", i))
			}
		}
		if p := One(t, d.DB, "user_id", "u1"); p.Sources[0].Identifiers != 151 {
			t.Errorf("%d identifiers are held, not 151", p.Sources[0].Identifiers)
		}
	},
}

// eraseAndSuppress erases whom a user_id leads to, not to be collected again.
func (d trial) eraseAndSuppress(t *testing.T, userID string) {
	t.Helper()
	_, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: Identifiers("user_id", userID)[0], Suppress: true, Origin: erasure.API})
	must(t, err)
	d.clock.Advance(window)
	EraseAll(t, d.DB)
}

// refusedMerge tells of u1 and of somebody else, and joins them while a
// request for u1 is open.
func (d trial) refusedMerge(t *testing.T, other, join []string) {
	t.Helper()
	Identify(t, d.DB, "shop", "user_id", "u1")
	Identify(t, d.DB, "shop", other...)
	r := Requested(t, d.DB, "user_id", "u1")
	d.tell(t, join, map[string]bool{})
	apart := One(t, d.DB, other[0], other[1]).EffaceID
	if apart == *r.EffaceID {
		t.Error("a profile merged while a request for it is open")
	}
	if held, err := d.HeldUp(t.Context(), r); err != nil || !slices.Equal(held, []uuid.UUID{apart}) {
		t.Errorf("the request keeps %v apart, %v; want %v", held, err, apart)
	}
	must(t, d.cancel(t, r.ID))
	if p := One(t, d.DB, other[0], other[1]); p.EffaceID != *r.EffaceID || len(p.Former) != 1 {
		t.Errorf("the merge was not tried again: %+v", p)
	}
}

func whatWasSeen(t *testing.T, d trial) {
	call := ingest.Call{Kind: ingest.Group, Table: erasure.User, Source: "shop", MessageID: "m1", Record: []byte(`{"event":"joined"}`),
		Identifiers:      Identifiers("user_id", "u1"),
		GroupIdentifiers: GroupIdentifiers("group_id", "g1"), GroupID: "g1"}
	for _, want := range []store.Outcome{store.Added, store.Seen, store.Seen} {
		if r := Tell(t, d.DB, call); r.Outcome != want {
			t.Fatalf("the outcome is %+v, not %s", r, want)
		}
	}
	if p := One(t, d.DB, "user_id", "u1"); p.Records != 1 || p.Sources[0].Identifiers != 1 {
		t.Errorf("the person has %+v", p)
	}
	call.Source = "crm" // another source's ids are its own
	if r := Tell(t, d.DB, call); r.Outcome != store.Added {
		t.Errorf("another source's message is %+v", r)
	}
	Requested(t, d.DB, "user_id", "u1")
	d.clock.Advance(window)
	EraseAll(t, d.DB)
	found, err := d.Find(t.Context(), call.GroupIdentifiers[0])
	if err != nil || len(found) != 1 || found[0].Table != erasure.Group {
		t.Errorf("the member's erasure took the group: %+v, %v", found, err)
	}
}

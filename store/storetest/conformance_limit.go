package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// limits is what happens to whoever has as many identifiers of a key as a
// profile may.
var limits = behaviours{
	"an identifier over the limit is not kept, and what came with it is": func(t *testing.T, d trial) {
		d.full(t)
		for range 2 {
			Tell(t, d.DB, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: "shop", Record: []byte(`{"event":"seen"}`),
				Identifiers: Identifiers("user_id", "u1", "anonymous_id", "more")})
		}
		d.found(t, 0, "anonymous_id", "more")
		p := d.overLimit(t, erasure.OverLimit{Key: "anonymous_id", Refused: 2})
		if p.Records != 2 || p.Sources[0].Identifiers != store.DefaultKeyLimit+2 {
			t.Errorf("the profile has %d records and %+v", p.Records, p.Sources)
		}
	},
	"a source's traits of one person have a bound": func(t *testing.T, d trial) {
		long := jsontext.Value(`"` + strings.Repeat("x", 30_000) + `"`)
		for i := range 6 {
			Tell(t, d.DB, ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: "shop", Identifiers: Identifiers("user_id", "u1"),
				Traits: map[string]jsontext.Value{fmt.Sprint("t", i): long}})
		}
		if n := One(t, d.DB, "user_id", "u1").Sources[0].Traits; n != 4 { // of 128 KiB
			t.Errorf("%d traits are kept", n)
		}
	},
	"clients name so many kinds of identifiers and no more": func(t *testing.T, d trial) {
		refused := 0
		for i := range 21 {
			pairs := []string{"user_id", fmt.Sprint("u", i)}
			for j := range 49 {
				pairs = append(pairs, fmt.Sprintf("made_up_%d_%d", i, j), "1")
			}
			if r := Identify(t, d.DB, "shop", pairs...); r.Outcome == store.Refused {
				WantCode(t, r.Err, erasure.CodeInvalid)
				refused++
			}
		}
		if refused != 1 {
			t.Errorf("of 21 calls with 1,029 new kinds %d are refused", refused)
		}
	},
	"what is known already costs nothing at the limit": func(t *testing.T, d trial) {
		d.full(t)
		Identify(t, d.DB, "crm", "user_id", "u1", "anonymous_id", "a0", "email", "new@example.com")
		d.overLimit(t)
		One(t, d.DB, "email", "new@example.com")
	},
	"an identifier over the limit leads where it led": func(t *testing.T, d trial) {
		d.full(t)
		Identify(t, d.DB, "web", "anonymous_id", "more")
		before := One(t, d.DB, "anonymous_id", "more").EffaceID
		Identify(t, d.DB, "shop", "user_id", "u1", "anonymous_id", "more")
		if p := One(t, d.DB, "anonymous_id", "more"); p.EffaceID != before || len(p.Former) != 0 {
			t.Errorf("it leads to %+v", p)
		}
		d.overLimit(t, erasure.OverLimit{Key: "anonymous_id", Apart: 1})
		other, err := d.Profile(t.Context(), erasure.System, before)
		if must(t, err); len(other.OverLimit) != 1 || other.OverLimit[0].Apart != 1 {
			t.Errorf("the other profile tells of %+v", other.OverLimit)
		}
	},
	"the limit stops an alias too": func(t *testing.T, d trial) {
		d.full(t)
		Identify(t, d.DB, "web", "anonymous_id", "more")
		alias := ingest.Call{Kind: ingest.Alias, Table: erasure.User, Source: "web", PreviousID: "more", Identifiers: Identifiers("user_id", "u1")}
		Tell(t, d.DB, alias)
		alias.PreviousID = "unknown"
		Tell(t, d.DB, alias)
		d.found(t, 0, "anonymous_id", "unknown")
		if p := d.overLimit(t, erasure.OverLimit{Key: "anonymous_id", Refused: 1, Apart: 1}); len(p.Former) != 0 {
			t.Errorf("it merged: %+v", p)
		}
	},
	"a call of more than the limit is stored with as many": func(t *testing.T, d trial) {
		var pairs []string
		for i := range store.DefaultKeyLimit + 3 {
			pairs = append(pairs, "email", fmt.Sprintf("e%d@example.com", i))
		}
		call := ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: "shop", MessageID: "m1", Record: []byte(`{"event":"seen"}`),
			Identifiers: Identifiers(pairs...)}
		for _, want := range []store.Outcome{store.Added, store.Seen} {
			if r := Tell(t, d.DB, call); r.Outcome != want {
				t.Errorf("the call is %+v, not %s", r, want)
			}
		}
		p := One(t, d.DB, "email", "e0@example.com")
		if p.Records != 1 || p.Sources[0].Identifiers != store.DefaultKeyLimit {
			t.Errorf("the profile has %d records and %+v", p.Records, p.Sources)
		}
		d.found(t, 0, "email", fmt.Sprintf("e%d@example.com", store.DefaultKeyLimit))
	},
	"a repeated call is known where its strongest identifier was over the limit": func(t *testing.T, d trial) {
		d.full(t)
		call := ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: "shop", MessageID: "m1", Record: []byte(`{"event":"seen"}`),
			Identifiers: Identifiers("anonymous_id", "more", "email", "ann@example.com")}
		for _, want := range []store.Outcome{store.Added, store.Seen} {
			if r := Tell(t, d.DB, call); r.Outcome != want {
				t.Errorf("the call is %+v, not %s", r, want)
			}
		}
	},
	"what is over the limit adds up in a merge and goes with the person": func(t *testing.T, d trial) {
		d.full(t)
		Identify(t, d.DB, "web", "user_id", "u1", "anonymous_id", "more")
		Identify(t, d.DB, "web", "clevertap_id", "c1")
		d.clock.Advance(window)
		Identify(t, d.DB, "web", "user_id", "u1", "clevertap_id", "c1")
		d.overLimit(t, erasure.OverLimit{Key: "anonymous_id", Refused: 1, LastAt: d.clock.Now().Wall.Add(-window)})
		Requested(t, d.DB, "user_id", "u1")
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		Identify(t, d.DB, "web", "user_id", "u1")
		d.overLimit(t)
	},
}

// full tells of the user u1 with ann@example.com and as many anonymous_ids as
// one may have.
func (d trial) full(t *testing.T) {
	t.Helper()
	for i := range store.DefaultKeyLimit {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "ann@example.com", "anonymous_id", fmt.Sprint("a", i))
	}
	d.overLimit(t)
}

// overLimit checks what u1 did not get, by now unless told otherwise.
func (d trial) overLimit(t *testing.T, want ...erasure.OverLimit) erasure.Profile {
	t.Helper()
	p, err := d.Profile(t.Context(), erasure.System, One(t, d.DB, "user_id", "u1").EffaceID)
	must(t, err)
	for i := range want {
		if want[i].LastAt.IsZero() {
			want[i].LastAt = d.clock.Now().Wall
		}
		want[i].LastAt = want[i].LastAt.UTC()
		want[i].Limit = store.DefaultKeyLimit
	}
	if !slices.Equal(p.OverLimit, want) {
		t.Errorf("over the limit were %+v, not %+v", p.OverLimit, want)
	}
	return p
}

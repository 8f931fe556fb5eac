package store_test

import (
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// The rules of "Who is who", one by one: what is told in order, and how many
// profiles each identifier then leads to. "alias OLD" in front makes a call an
// alias. Where the wording leaves a choice, the case says so.
var resolutions = []struct {
	name string
	told [][]string
	want map[string]int
	// same lists identifiers that lead to one profile together.
	same     []string
	profiles int
}{
	{
		name:     "what arrives together is one person",
		told:     [][]string{{"user_id", "u1", "email", "a@x.org"}, {"email", "a@x.org", "anonymous_id", "a1"}},
		same:     []string{"user_id=u1", "email=a@x.org", "anonymous_id=a1"},
		profiles: 1,
	},
	{
		name:     "an identifier that leads to another person joins the two",
		told:     [][]string{{"anonymous_id", "a1"}, {"user_id", "u1"}, {"user_id", "u1", "anonymous_id", "a1"}},
		same:     []string{"user_id=u1", "anonymous_id=a1"},
		profiles: 1,
	},
	{
		name:     "two user ids stay two people, and share the e-mail address",
		told:     [][]string{{"user_id", "u1", "email", "a@x.org"}, {"user_id", "u2", "email", "a@x.org"}},
		want:     map[string]int{"user_id=u1": 1, "user_id=u2": 1, "email=a@x.org": 2},
		profiles: 2,
	},
	{
		name:     "an anonymous id stays with whom it led to",
		told:     [][]string{{"user_id", "u1", "anonymous_id", "a1"}, {"user_id", "u2", "anonymous_id", "a1"}},
		want:     map[string]int{"user_id=u2": 1, "anonymous_id=a1": 1},
		same:     []string{"user_id=u1", "anonymous_id=a1"},
		profiles: 2,
	},
	{
		name: "a shared identifier joins nobody, and goes where the next one leads",
		told: [][]string{{"user_id", "u1", "email", "a@x.org"}, {"user_id", "u2", "email", "a@x.org", "phone", "+49301"},
			{"email", "a@x.org", "phone", "+49301", "hubspot_id", "h1"}},
		want:     map[string]int{"email=a@x.org": 2},
		same:     []string{"user_id=u2", "hubspot_id=h1"},
		profiles: 2,
	},
	{
		name: "a shared identifier alone goes to the oldest",
		told: [][]string{{"user_id", "u1", "email", "a@x.org"}, {"user_id", "u2", "email", "a@x.org"},
			{"email", "a@x.org", "hubspot_id", "h1"}},
		same:     []string{"user_id=u1", "hubspot_id=h1"},
		profiles: 2,
	},
	{
		name:     "an alias joins two user ids, which count as one from then on",
		told:     [][]string{{"user_id", "u1"}, {"user_id", "u2"}, {"alias u1", "user_id", "u2"}, {"user_id", "u1", "email", "a@x.org"}},
		same:     []string{"user_id=u1", "user_id=u2", "email=a@x.org"},
		profiles: 1,
	},
	{
		name:     "a third user id is another person all the same",
		told:     [][]string{{"user_id", "u1"}, {"alias u1", "user_id", "u2"}, {"user_id", "u2", "email", "a@x.org"}, {"user_id", "u3", "email", "a@x.org"}},
		want:     map[string]int{"user_id=u3": 1, "email=a@x.org": 2},
		same:     []string{"user_id=u1", "user_id=u2"},
		profiles: 2,
	},
	{
		name:     "an alias reads its previous id as a user id first",
		told:     [][]string{{"user_id", "p"}, {"anonymous_id", "p"}, {"alias p", "user_id", "u1"}},
		same:     []string{"user_id=p", "user_id=u1"},
		want:     map[string]int{"anonymous_id=p": 1},
		profiles: 2,
	},
	{
		// Silent: a previous id that nobody has. It is kept, as the weaker of
		// its two readings, so that data that comes later still finds the person.
		name:     "an alias of an unknown id keeps it as an anonymous id",
		told:     [][]string{{"alias p", "user_id", "u1"}},
		same:     []string{"user_id=u1", "anonymous_id=p"},
		profiles: 1,
	},
	{
		// Ambiguous: u9 and a1 conflict, a2's profile could hold u9. "What
		// arrives together belongs to one profile" decides: u9 joins a2.
		name: "a conflict with one does not keep what arrives from another",
		told: [][]string{{"user_id", "u1", "anonymous_id", "a1"}, {"anonymous_id", "a2"},
			{"user_id", "u9", "anonymous_id", "a1", "anonymous_id", "a2"}},
		same:     []string{"user_id=u9", "anonymous_id=a2"},
		profiles: 2,
	},
}

func TestWhoIsWho(t *testing.T) {
	for _, c := range resolutions {
		t.Run(c.name, func(t *testing.T) {
			db := storetest.Open(t)
			known := map[string]bool{}
			for _, pairs := range c.told {
				tellPairs(t, db, pairs, known)
			}
			profiles := map[string]bool{}
			for id := range known {
				found, err := db.Find(t.Context(), identifierOf(id))
				must(t, err)
				if want, ok := c.want[id]; ok && len(found) != want {
					t.Errorf("%s leads to %d profiles, not %d", id, len(found), want)
				}
				for _, p := range found {
					profiles[p.EffaceID.String()] = true
				}
			}
			if len(profiles) != c.profiles {
				t.Errorf("there are %d profiles, not %d", len(profiles), c.profiles)
			}
			for _, id := range c.same {
				if a, b := one(t, db, c.same[0]), one(t, db, id); a.EffaceID != b.EffaceID {
					t.Errorf("%s and %s are two people", c.same[0], id)
				}
			}
		})
	}
}

func one(t *testing.T, db *store.DB, id string) erasure.Profile {
	t.Helper()
	i := identifierOf(id)
	return storetest.One(t, db, i.Key, i.Value)
}

func tellPairs(t *testing.T, db *store.DB, pairs []string, known map[string]bool) {
	t.Helper()
	call := ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: "shop"}
	if len(pairs)%2 == 1 {
		call.Kind, call.PreviousID, pairs = ingest.Alias, pairs[0][len("alias "):], pairs[1:]
		known["anonymous_id="+call.PreviousID], known["user_id="+call.PreviousID] = true, true
	}
	call.Identifiers = storetest.Identifiers(pairs...)
	for i := 0; i < len(pairs); i += 2 {
		known[pairs[i]+"="+pairs[i+1]] = true
	}
	if r := storetest.Tell(t, db, call); r.Outcome != store.Added {
		t.Fatalf("%v: %+v", pairs, r)
	}
}

func TestARefusedMergeIsTriedAgainAfterACancel(t *testing.T) {
	for _, kind := range []string{"identify", "alias"} {
		d := openOnDisk(t)
		storetest.Identify(t, d.DB, "shop", "user_id", "u1")
		storetest.Identify(t, d.DB, "shop", map[string]string{"identify": "anonymous_id", "alias": "user_id"}[kind], "p")
		r := requested(t, d.DB, "user_id", "u1")
		if kind == "alias" {
			tellPairs(t, d.DB, []string{"alias p", "user_id", "u1"}, map[string]bool{})
		} else {
			storetest.Identify(t, d.DB, "shop", "user_id", "u1", "anonymous_id", "p")
		}
		previous := map[string]string{"identify": "anonymous_id=p", "alias": "user_id=p"}[kind]
		if one(t, d.DB, previous).EffaceID == *r.EffaceID {
			t.Errorf("%s: a profile merged while a request for it is open", kind)
		}
		must(t, second(d.Cancel(t.Context(), r.ID, erasure.System, erasure.API)))
		if p := one(t, d.DB, previous); p.EffaceID != *r.EffaceID || len(p.Former) != 1 {
			t.Errorf("%s: the merge was not tried again: %+v", kind, p)
		}
		storetest.CheckLog(t, d.dir)
	}
}

func TestWhatWasSeenAddsNothing(t *testing.T) {
	d := openOnDisk(t)
	call := ingest.Call{Kind: ingest.Group, Table: erasure.User, Source: "shop", MessageID: "m1", Record: []byte(`{"event":"joined"}`),
		Identifiers:      storetest.Identifiers("user_id", "u1"),
		GroupIdentifiers: []erasure.Identifier{{Table: erasure.Group, Key: "group_id", Value: "g1"}}, GroupID: "g1"}
	for _, want := range []store.Outcome{store.Added, store.Seen, store.Seen} {
		if r := storetest.Tell(t, d.DB, call); r.Outcome != want {
			t.Fatalf("the outcome is %+v, not %s", r, want)
		}
	}
	if p := storetest.One(t, d.DB, "user_id", "u1"); p.Records != 1 || p.Sources[0].Identifiers != 1 {
		t.Errorf("the person has %+v", p)
	}
	call.Source = "crm" // another source's ids are its own
	if r := storetest.Tell(t, d.DB, call); r.Outcome != store.Added {
		t.Errorf("another source's message is %+v", r)
	}
	requested(t, d.DB, "user_id", "u1")
	d.clock.Advance(24 * time.Hour)
	eraseAll(t, d.DB)
	found, err := d.Find(t.Context(), call.GroupIdentifiers[0])
	if err != nil || len(found) != 1 || found[0].Table != erasure.Group {
		t.Errorf("the member's erasure took the group: %+v, %v", found, err)
	}
}

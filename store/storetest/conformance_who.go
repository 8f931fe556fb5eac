package storetest

import (
	"strings"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// resolution is "Who is who", rule by rule. Where the wording leaves a choice,
// the case says so.
var resolution = behaviours{
	"what arrives together is one person": rule{
		told:     [][]string{{"user_id", "u1", "email", "a@x.org"}, {"email", "a@x.org", "anonymous_id", "a1"}},
		same:     []string{"user_id=u1", "email=a@x.org", "anonymous_id=a1"},
		profiles: 1,
	}.holds,
	"an identifier that leads to another person joins the two": rule{
		told:     [][]string{{"anonymous_id", "a1"}, {"user_id", "u1"}, {"user_id", "u1", "anonymous_id", "a1"}},
		same:     []string{"user_id=u1", "anonymous_id=a1"},
		profiles: 1,
	}.holds,
	"two user ids stay two people, and share the e-mail address": rule{
		told:     [][]string{{"user_id", "u1", "email", "a@x.org"}, {"user_id", "u2", "email", "a@x.org"}},
		want:     map[string]int{"user_id=u1": 1, "user_id=u2": 1, "email=a@x.org": 2},
		profiles: 2,
	}.holds,
	"an anonymous id stays with whom it led to": rule{
		told:     [][]string{{"user_id", "u1", "anonymous_id", "a1"}, {"user_id", "u2", "anonymous_id", "a1"}},
		want:     map[string]int{"user_id=u2": 1, "anonymous_id=a1": 1},
		same:     []string{"user_id=u1", "anonymous_id=a1"},
		profiles: 2,
	}.holds,
	"a shared identifier joins nobody, and goes where the next one leads": rule{
		told: [][]string{{"user_id", "u1", "email", "a@x.org"}, {"user_id", "u2", "email", "a@x.org", "phone", "+49301"},
			{"email", "a@x.org", "phone", "+49301", "hubspot_id", "h1"}},
		want:     map[string]int{"email=a@x.org": 2},
		same:     []string{"user_id=u2", "hubspot_id=h1"},
		profiles: 2,
	}.holds,
	"a shared identifier alone goes to the oldest": rule{
		told: [][]string{{"user_id", "u1", "email", "a@x.org"}, {"user_id", "u2", "email", "a@x.org"},
			{"email", "a@x.org", "hubspot_id", "h1"}},
		same:     []string{"user_id=u1", "hubspot_id=h1"},
		profiles: 2,
	}.holds,
	"an alias joins two user ids, which count as one from then on": rule{
		told:     [][]string{{"user_id", "u1"}, {"user_id", "u2"}, {"alias u1", "user_id", "u2"}, {"user_id", "u1", "email", "a@x.org"}},
		same:     []string{"user_id=u1", "user_id=u2", "email=a@x.org"},
		profiles: 1,
	}.holds,
	"a third user id is another person all the same": rule{
		told:     [][]string{{"user_id", "u1"}, {"alias u1", "user_id", "u2"}, {"user_id", "u2", "email", "a@x.org"}, {"user_id", "u3", "email", "a@x.org"}},
		want:     map[string]int{"user_id=u3": 1, "email=a@x.org": 2},
		same:     []string{"user_id=u1", "user_id=u2"},
		profiles: 2,
	}.holds,
	"an alias reads its previous id as a user id first": rule{
		told:     [][]string{{"user_id", "p"}, {"anonymous_id", "p"}, {"alias p", "user_id", "u1"}},
		same:     []string{"user_id=p", "user_id=u1"},
		want:     map[string]int{"anonymous_id=p": 1},
		profiles: 2,
	}.holds,
	// Silent: a previous id that nobody has. It is kept, as the weaker of
	// its two readings, so that data that comes later still finds the person.
	"an alias of an unknown id keeps it as an anonymous id": rule{
		told:     [][]string{{"alias p", "user_id", "u1"}},
		same:     []string{"user_id=u1", "anonymous_id=p"},
		profiles: 1,
	}.holds,
	// Ambiguous: u9 and a1 conflict, a2's profile could hold u9. "What
	// arrives together belongs to one profile" decides: u9 joins a2.
	"a conflict with one does not keep what arrives from another": rule{
		told: [][]string{{"user_id", "u1", "anonymous_id", "a1"}, {"anonymous_id", "a2"},
			{"user_id", "u9", "anonymous_id", "a1", "anonymous_id", "a2"}},
		same:     []string{"user_id=u9", "anonymous_id=a2"},
		profiles: 2,
	}.holds,
}

// rule is what is told in order, and where each identifier then leads. "alias
// OLD" in front makes a call an alias.
type rule struct {
	told     [][]string
	want     map[string]int // how many profiles an identifier leads to
	same     []string       // what leads to one profile together
	profiles int
}

func (r rule) holds(t *testing.T, d trial) {
	known := map[string]bool{}
	for _, pairs := range r.told {
		d.tell(t, pairs, known)
	}
	profiles := map[string]bool{}
	for id := range known {
		key, value, _ := strings.Cut(id, "=")
		found, err := d.Find(t.Context(), Identifiers(key, value)[0])
		must(t, err)
		if want, ok := r.want[id]; ok && len(found) != want {
			t.Errorf("%s leads to %d profiles, not %d", id, len(found), want)
		}
		for _, p := range found {
			profiles[p.EffaceID.String()] = true
		}
	}
	if len(profiles) != r.profiles {
		t.Errorf("there are %d profiles, not %d", len(profiles), r.profiles)
	}
	for _, id := range r.same {
		if d.one(t, r.same[0]).EffaceID != d.one(t, id).EffaceID {
			t.Errorf("%s and %s are two people", r.same[0], id)
		}
	}
}

// one finds the one profile of an identifier written as key=value.
func (d trial) one(t *testing.T, id string) erasure.Profile {
	t.Helper()
	key, value, _ := strings.Cut(id, "=")
	return One(t, d.DB, key, value)
}

func (d trial) tell(t *testing.T, pairs []string, known map[string]bool) {
	t.Helper()
	call := ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: "shop"}
	if len(pairs)%2 == 1 {
		call.Kind, call.PreviousID, pairs = ingest.Alias, pairs[0][len("alias "):], pairs[1:]
		known["anonymous_id="+call.PreviousID], known["user_id="+call.PreviousID] = true, true
	}
	call.Identifiers = Identifiers(pairs...)
	for i := 0; i < len(pairs); i += 2 {
		known[pairs[i]+"="+pairs[i+1]] = true
	}
	if r := Tell(t, d.DB, call); r.Outcome != store.Added {
		t.Fatalf("%v: %+v", pairs, r)
	}
}

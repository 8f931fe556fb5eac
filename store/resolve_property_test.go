package store_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

func line(ids []string, records, former, groups int) string {
	return fmt.Sprintf("%s: %d records, %d former, %d groups", strings.Join(ids, " "), records, former, groups)
}

// The partition into people is that of the rules, whatever arrives: no
// identifier is lost, no two people are joined against the rules, and what
// arrives twice counts once. Who was in a group stays in it, whoever they
// become.
func TestPeopleAreWhoTheRulesSay(t *testing.T) {
	t.Parallel()
	d := openOnDisk(t)
	w := &world{db: d.DB, clock: d.clock, raw: storetest.Raw(t, d.dir)}
	for range storetest.Scale(t, 10) {
		rapid.Check(t, w.check)
	}
	if n := membershipsOfNobody(t, w.raw); n != 0 {
		t.Errorf("%d memberships name profiles that are gone", n)
	}
}

// world runs the store and the reference side by side. All checks share one
// store; prefix keeps their people apart.
type world struct {
	db     *store.DB
	clock  *storetest.Clock
	raw    *sql.DB
	checks int
	prefix string
	people *everybody
	known  map[string]bool
	calls  []ingest.Call
}

func (w *world) check(t *rapid.T) {
	w.checks++
	w.prefix, w.people, w.known, w.calls = fmt.Sprintf("%d-", w.checks), &everybody{}, map[string]bool{}, nil
	for range rapid.IntRange(1, 30).Draw(t, "calls") {
		switch rapid.SampledFrom([]string{"identify", "identify", "identify", "identify", "group", "alias", "request", "cancel", "erase"}).Draw(t, "what") {
		case "identify":
			w.tell(t, told{ids: w.ids(t), record: rapid.Bool().Draw(t, "record")})
		case "group":
			w.tell(t, told{ids: w.ids(t), group: w.value(t, "group", 3)})
		case "alias":
			w.tell(t, told{ids: []string{w.id(t, "user_id", 4)}, previous: w.value(t, rapid.SampledFrom([]string{"user_id", "anonymous_id"}).Draw(t, "previous"), 4)})
		case "request":
			w.request(t)
		case "cancel":
			w.cancel(t)
		case "erase":
			w.erase(t)
		}
	}
	w.compare(t)
	w.erase(t) // leave nothing open to the next check
}

func (w *world) value(t *rapid.T, key string, of int) string {
	return w.prefix + key[:1] + fmt.Sprint(rapid.IntRange(1, of).Draw(t, key))
}

func (w *world) id(t *rapid.T, key string, of int) string {
	return key + "=" + w.value(t, key, of)
}

// ids draws identifiers that one call gives together.
func (w *world) ids(t *rapid.T) (ids []string) {
	for len(ids) == 0 {
		for _, key := range []string{"user_id", "anonymous_id", "anonymous_id", "clevertap_id", "email", "email", "hubspot_id"} {
			if rapid.IntRange(0, 2).Draw(t, "with "+key) > 0 {
				continue
			}
			if id := w.id(t, key, 4); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func (w *world) tell(t *rapid.T, c told) {
	c.source = rapid.SampledFrom([]string{"shop", "crm"}).Draw(t, "source")
	if n := rapid.IntRange(0, 6).Draw(t, "message"); n > 0 && c.group == "" { // or it could be seen in one and new in another
		c.message = fmt.Sprint(w.prefix, "m", n)
	}
	w.people.tell(c)
	call := ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: c.source, MessageID: c.message, PreviousID: c.previous}
	for _, id := range c.ids {
		w.known[id] = true
		call.Identifiers = append(call.Identifiers, identifierOf(id))
	}
	if c.previous != "" {
		call.Kind = ingest.Alias
		w.known["user_id="+c.previous], w.known["anonymous_id="+c.previous] = true, true
	}
	if c.group != "" {
		call.Kind, call.GroupIdentifiers = ingest.Group, storetest.GroupIdentifiers("group_id", c.group)
	}
	if c.record {
		call.Record = []byte(`{"event":"seen"}`)
	}
	w.calls = append(w.calls, call)
}

func identifierOf(id string) erasure.Identifier {
	key, value, _ := strings.Cut(id, "=")
	return erasure.Identifier{Table: erasure.User, Key: key, Value: value}
}

// flush tells the store what the reference was told.
func (w *world) flush(t *rapid.T) {
	results, err := w.db.Ingest(t.Context(), w.calls)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("%+v was refused: %v", w.calls[i], r.Err)
		}
	}
	w.calls = nil
}

// someone draws a person and an identifier that leads to nobody else.
func (w *world) someone(t *rapid.T, open bool) (*someone, string) {
	for _, p := range w.people.all {
		if p.open != open {
			continue
		}
		for _, id := range slices.Sorted(keysOf(p.ids)) {
			if len(w.people.leads(id)) == 1 && rapid.Bool().Draw(t, "this one") {
				return p, id
			}
		}
	}
	return nil, ""
}

func (w *world) request(t *rapid.T) {
	p, id := w.someone(t, false)
	if p == nil {
		return
	}
	w.compare(t)
	if _, created, err := w.db.RequestErasure(t.Context(), erasure.NewRequest{Asked: identifierOf(id), Origin: erasure.API}); err != nil || !created {
		t.Fatalf("requesting %s: %v, %v", id, created, err)
	}
	p.open = true
}

func (w *world) cancel(t *rapid.T) {
	p, id := w.someone(t, true)
	if p == nil {
		return
	}
	w.compare(t)
	if _, err := w.db.CancelByIdentifier(t.Context(), identifierOf(id), erasure.System, erasure.API); err != nil {
		t.Fatalf("cancelling %s: %v", id, err)
	}
	w.people.cancelled(p)
	w.compare(t)
}

func (w *world) erase(t *rapid.T) {
	w.flush(t)
	w.clock.Advance(24 * time.Hour)
	for more := true; more; {
		if _, err := w.db.ClaimDue(t.Context(), 500); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.db.DestroyKeys(t.Context(), 500); err != nil {
			t.Fatal(err)
		}
		var err error
		if _, more, err = w.db.DeleteRows(t.Context(), 4000); err != nil {
			t.Fatal(err)
		}
	}
	w.people.erased()
	w.compare(t)
}

func (w *world) compare(t *rapid.T) {
	w.flush(t)
	found := map[uuid.UUID]erasure.Profile{}
	ids := map[uuid.UUID][]string{}
	for _, id := range slices.Sorted(keysOf(w.known)) {
		profiles, err := w.db.Find(t.Context(), identifierOf(id))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range profiles {
			found[p.EffaceID] = p
			ids[p.EffaceID] = append(ids[p.EffaceID], id)
		}
	}
	var got []string
	for id, p := range found {
		got = append(got, line(ids[id], p.Records, len(p.Former), w.groupsOf(t, id)))
	}
	slices.Sort(got)
	if want := w.people.lines(); !slices.Equal(got, want) {
		t.Fatalf("the store holds\n%s\nand the rules say\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (w *world) groupsOf(t *rapid.T, id uuid.UUID) (n int) {
	err := w.raw.QueryRow(`SELECT COUNT(*) FROM memberships m JOIN profiles p ON p.id = m.member WHERE p.efface_id = $1`, id[:]).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func keysOf(m map[string]bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

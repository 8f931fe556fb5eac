package store_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
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
// identifier is lost but those over the limit, no two people are joined against
// the rules, what arrives twice counts once, and the merges told are those that
// were made. Who was in a group stays in it, whoever they become.
func TestPeopleAreWhoTheRulesSay(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{2, 100} {
		t.Run(fmt.Sprintf("%d of a key", limit), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, limit)
			for range storetest.Scale(t, 10) {
				rapid.Check(t, w.check)
			}
			w.leavesNothing(t)
		})
	}
}

// Once every request is cancelled, people are who they would be had there been
// none.
func TestRequestsThatAreCancelledChangeNobody(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{2, 100} {
		t.Run(fmt.Sprintf("%d of a key", limit), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, limit)
			for range storetest.Scale(t, 10) {
				rapid.Check(t, w.checkCancelled)
			}
			w.leavesNothing(t)
		})
	}
}

// world runs the store and the reference side by side. All checks share one
// store; prefix keeps their people apart.
type world struct {
	db      *store.DB
	clock   *storetest.Clock
	raw     *sql.DB
	limit   int
	checks  int
	prefix  string
	people  *everybody
	without *everybody // who was told the same, and of no request
	known   map[string]bool
	history []told
	calls   []ingest.Call
	open    map[*someone]erasure.RequestID
}

func newWorld(t *testing.T, limit int) *world {
	dir, clock := filepath.Join(t.TempDir(), "data"), storetest.NewClock()
	db := storetest.Open(t, storetest.InDir(dir), storetest.WithClock(clock), func(o *store.Options) { o.KeyLimit = limit })
	return &world{db: db, clock: clock, raw: storetest.Raw(t, dir), limit: limit}
}

func (w *world) begin() {
	w.checks++
	w.prefix = fmt.Sprintf("%d-", w.checks)
	w.people, w.without = &everybody{limit: w.limit}, &everybody{limit: w.limit}
	w.known, w.history, w.calls, w.open = map[string]bool{}, nil, nil, map[*someone]erasure.RequestID{}
}

var happens = []string{"identify", "identify", "identify", "identify", "again", "group", "alias", "request", "cancel"}

func (w *world) check(t *rapid.T) {
	w.begin()
	for range rapid.IntRange(1, 30).Draw(t, "calls") {
		switch what := rapid.SampledFrom(append(happens, "erase")).Draw(t, "what"); what {
		case "erase":
			w.erase(t)
		default:
			w.happen(t, what)
		}
	}
	w.compare(t)
	w.erase(t) // leave nothing open to the next check
}

func (w *world) checkCancelled(t *rapid.T) {
	w.begin()
	for range rapid.IntRange(1, 30).Draw(t, "calls") {
		w.happen(t, rapid.SampledFrom(append(happens, "request")).Draw(t, "what"))
	}
	w.compare(t)
	for _, p := range slices.Clone(w.people.all) {
		if p.open {
			w.cancel(t, p)
		}
	}
	if got, want := w.people.people(), w.without.people(); !slices.Equal(got, want) {
		t.Fatalf("after the requests and their cancels there are\n%s\nand without there are\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (w *world) happen(t *rapid.T, what string) {
	switch what {
	case "identify":
		w.tell(t, w.from(t, told{ids: w.ids(t), record: rapid.Bool().Draw(t, "record")}))
	case "again":
		if len(w.history) > 0 {
			w.tell(t, rapid.SampledFrom(w.history).Draw(t, "which"))
		}
	case "group":
		w.tell(t, w.from(t, told{ids: w.ids(t), group: w.value(t, "group", 3)}))
	case "alias":
		w.tell(t, w.from(t, told{ids: []string{w.id(t, "user_id", 4)}, previous: w.value(t, rapid.SampledFrom([]string{"user_id", "anonymous_id"}).Draw(t, "previous"), 4)}))
	case "request":
		w.request(t)
	case "cancel":
		if p, _ := w.someone(t, true); p != nil {
			w.cancel(t, p)
		}
	}
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

func (w *world) from(t *rapid.T, c told) told {
	c.source = rapid.SampledFrom([]string{"shop", "crm"}).Draw(t, "source")
	if n := rapid.IntRange(0, 6).Draw(t, "message"); n > 0 && c.group == "" { // or it could be seen in one and new in another
		c.message = fmt.Sprint(w.prefix, "m", n)
	}
	return c
}

func (w *world) tell(t *rapid.T, c told) {
	w.history = append(w.history, c)
	w.people.tell(c)
	w.without.tell(c)
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
		call.Kind = ingest.Track
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
	r, created, err := w.db.RequestErasure(t.Context(), erasure.NewRequest{Asked: identifierOf(id), Origin: erasure.API})
	if err != nil || !created {
		t.Fatalf("requesting %s: %v, %v", id, created, err)
	}
	p.open, w.open[p] = true, r.ID
}

func (w *world) cancel(t *rapid.T, p *someone) {
	w.compare(t)
	if _, err := w.db.Cancel(t.Context(), w.open[p], erasure.System, erasure.API); err != nil {
		t.Fatal(err)
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
	found := map[uuid.UUID]bool{}
	ids := map[uuid.UUID][]string{}
	for _, id := range slices.Sorted(keysOf(w.known)) {
		profiles, err := w.db.Find(t.Context(), identifierOf(id))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range profiles {
			found[p.EffaceID] = true
			ids[p.EffaceID] = append(ids[p.EffaceID], id)
		}
	}
	var got []string
	for id := range found {
		got = append(got, w.line(t, id, ids[id]))
	}
	slices.Sort(got)
	if want := w.people.lines(); !slices.Equal(got, want) {
		t.Fatalf("the store holds\n%s\nand the rules say\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// line says of one person what the reference does.
func (w *world) line(t *rapid.T, id uuid.UUID, ids []string) string {
	p, err := w.db.Profile(t.Context(), erasure.System, id)
	if err != nil {
		t.Fatal(err)
	}
	var merges []string
	for _, m := range p.Merges {
		by := m.Key + "=" + m.Value
		if m.Alias {
			by = "alias " + by
		}
		merges = append(merges, by)
		if m.Other == id || m.Survivor != id && !slices.Contains(p.Former, m.Survivor) || !slices.Contains(p.Former, m.Other) {
			t.Fatalf("%v tells of a merge of %v with %v", id, m.Survivor, m.Other)
		}
	}
	slices.Sort(merges)
	over, apart := map[string]int{}, 0
	for _, o := range p.OverLimit {
		if o.Refused > 0 {
			over[o.Key] = o.Refused
		}
		apart += o.Apart
	}
	return line(ids, p.Records, len(p.Former), p.Memberships) + fmt.Sprint(", joined by ", merges, ", over the limit ", over, apart)
}

// leavesNothing looks for rows of nobody.
func (w *world) leavesNothing(t *testing.T) {
	t.Helper()
	for _, query := range []string{
		`SELECT COUNT(*) FROM merges WHERE fragment NOT IN (SELECT id FROM fragments)`,
		`SELECT COUNT(*) FROM over_limit WHERE profile NOT IN (SELECT id FROM profiles WHERE leads_to IS NULL)`,
		`SELECT COUNT(*) FROM refused_merges WHERE profile NOT IN (SELECT id FROM profiles WHERE leads_to IS NULL)
			OR other NOT IN (SELECT id FROM profiles WHERE leads_to IS NULL)
			OR fragment NOT IN (SELECT id FROM fragments f WHERE f.profile IN (refused_merges.profile, refused_merges.other))`,
	} {
		var n int
		if err := w.raw.QueryRow(query).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows of nobody, %v: %s", n, err, query)
		}
	}
	if n := membershipsOfNobody(t, w.raw); n != 0 {
		t.Errorf("%d memberships name profiles that are gone", n)
	}
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

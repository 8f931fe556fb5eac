package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/storetest"
)

// personal are the tables that hold something of a profile.
var personal = []string{"profiles", "fragments", "identifiers", "traits", "records", "messages", "lookup", "memberships",
	"merges", "refused_merges", "over_limit"}

// tellPerson stores a person with traits and records from two sources.
func tellPerson(t testing.TB, db *store.DB, user string, records int) {
	t.Helper()
	var calls []ingest.Call
	for i := range records {
		calls = append(calls, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: []string{"shop", "crm"}[i%2],
			Identifiers: storetest.Identifiers("user_id", user, "email", user+"@example.com"),
			Record:      fmt.Appendf(nil, `{"event":"seen","n":%d}`, i), MessageID: fmt.Sprint(user, i)})
		if i == records-1 || len(calls) == 1000 {
			must(t, second(db.Ingest(t.Context(), calls)))
			calls = calls[:0]
		}
	}
}

// onDisk is a store whose directory and clock the test keeps.
type onDisk struct {
	*store.DB
	dir   string
	clock *storetest.Clock
}

func openOnDisk(t testing.TB) onDisk {
	t.Helper()
	d := onDisk{dir: filepath.Join(t.TempDir(), "data"), clock: storetest.NewClock()}
	return d.again(t)
}

// again opens the store anew. The DB before is left as a crash leaves it:
// nothing of it is closed or written before.
func (d onDisk) again(t testing.TB) onDisk {
	t.Helper()
	d.DB = storetest.Open(t, storetest.InDir(d.dir), storetest.WithClock(d.clock))
	return d
}

// served opens the store anew as the server does.
func (d onDisk) served(t testing.TB) onDisk {
	t.Helper()
	d.DB = storetest.Open(t, storetest.InDir(d.dir), storetest.WithClock(d.clock), func(o *store.Options) { o.Serve = true })
	return d
}

func (d onDisk) state(t *testing.T, id erasure.RequestID) erasure.State {
	t.Helper()
	r, err := d.Request(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.State
}

// I3: a request and its cancel change no byte of the profile's rows.
func TestARequestAndItsCancelLeaveTheProfileAsItIs(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 5)
	storetest.Tell(t, d.DB, ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: "shop",
		Identifiers: storetest.Identifiers("user_id", "u1"), Traits: map[string]jsontext.Value{"city": jsontext.Value(`"Bonn"`)}})
	storetest.Join(t, d.DB, "u1", "g1")
	storetest.Identify(t, d.DB, "web", "anonymous_id", "a1")
	more := []string{"user_id", "u1", "anonymous_id", "a1"}
	for i := range store.DefaultKeyLimit {
		more = append(more, "hubspot_id", fmt.Sprint(i), "email", fmt.Sprint(i, "@example.com"))
	}
	storetest.Identify(t, d.DB, "web", more...) // a merge, and one e-mail address too many
	raw := storetest.Raw(t, d.dir)
	before := storetest.Dump(t, raw, personal...)
	if len(storetest.Dump(t, raw, "merges")) != 1 || len(storetest.Dump(t, raw, "over_limit")) != 1 || len(before) < 20 {
		t.Fatalf("only %d rows are there to compare", len(before))
	}
	r := storetest.Requested(t, d.DB, "email", "u1@example.com")
	if got := storetest.Dump(t, raw, personal...); !slices.Equal(got, before) {
		t.Error("the request changed the profile's rows")
	}
	if _, err := d.Cancel(t.Context(), r.ID, erasure.System, erasure.API); err != nil {
		t.Fatal(err)
	}
	if got := storetest.Dump(t, raw, personal...); !slices.Equal(got, before) {
		t.Error("the cancel changed the profile's rows")
	}
}

// I6, I4: an erasure goes on from wherever a crash broke it off, and what was
// done twice counts once.
func TestACrashBetweenAnyStepsDelaysAnErasureAndNoMore(t *testing.T) {
	steps := []struct {
		name string
		run  func(t *testing.T, d onDisk)
	}{
		{"the claim", func(t *testing.T, d onDisk) { must(t, second(d.ClaimDue(t.Context(), 10))) }},
		{"the keys' destruction", func(t *testing.T, d onDisk) {
			refs, err := d.KeysToDestroy(t.Context())
			must(t, errors.Join(err, d.DestroyOnly(t.Context(), refs)))
		}},
		{"its record", func(t *testing.T, d onDisk) { _, _, err := d.DestroyKeys(t.Context(), 10); must(t, err) }},
		{"some rows", func(t *testing.T, d onDisk) { _, _, err := d.DeleteRows(t.Context(), 3); must(t, err) }},
		{"more rows", func(t *testing.T, d onDisk) { _, _, err := d.DeleteRows(t.Context(), 3); must(t, err) }},
		{"all rows", func(t *testing.T, d onDisk) { _, _, err := d.DeleteRows(t.Context(), 1000); must(t, err) }},
	}
	for crash := range len(steps) + 1 {
		for _, twice := range []bool{false, true} {
			d := openOnDisk(t)
			tellPerson(t, d.DB, "u1", 6)
			r := storetest.Requested(t, d.DB, "user_id", "u1")
			d.clock.Advance(24 * time.Hour)
			for _, s := range steps[:crash] {
				s.run(t, d)
				if twice {
					s.run(t, d)
				}
			}
			d = d.again(t)
			if got := d.state(t, r.ID); got == erasure.Completed && crash < len(steps)-1 {
				t.Errorf("after %s the request is said to be %s", steps[crash].name, got)
			}
			storetest.EraseAll(t, d.DB)
			checkErased(t, d, r.ID)
		}
	}
}

// checkErased finds a request completed, with nothing left but it and the log.
func checkErased(t *testing.T, d onDisk, ids ...erasure.RequestID) {
	t.Helper()
	var ended int
	for _, e := range storetest.CheckLog(t, d.dir) {
		if e.Kind == erasure.RequestCompleted {
			ended++
		}
	}
	if ended != len(ids) {
		t.Errorf("%d requests ended in the log, not %d", ended, len(ids))
	}
	for _, id := range ids {
		if got := d.state(t, id); got != erasure.Completed {
			t.Errorf("request %s is %s", id, got)
		}
	}
	if left := storetest.Dump(t, storetest.Raw(t, d.dir), personal...); len(left) > 0 {
		t.Errorf("%d rows are left: %v", len(left), left)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

// I6: two programs at work on one directory end each erasure once.
func TestTwoRunnersEndEachErasureOnce(t *testing.T) {
	d := openOnDisk(t)
	var ids []erasure.RequestID
	for i := range 60 {
		user := fmt.Sprint("u", i)
		tellPerson(t, d.DB, user, 3)
		ids = append(ids, storetest.Requested(t, d.DB, "user_id", user).ID)
	}
	d.clock.Advance(24 * time.Hour)
	var runners sync.WaitGroup
	for _, db := range []*store.DB{d.DB, d.again(t).DB} {
		runners.Go(func() {
			for {
				_, err := db.ClaimDue(t.Context(), 7)
				_, busy, err2 := db.DestroyKeys(t.Context(), 7)
				_, more, err3 := db.DeleteRows(t.Context(), 10)
				if err := errors.Join(err, err2, err3); err != nil {
					t.Error(err)
					return
				}
				if w, err := db.Work(t.Context()); err != nil || !more && !busy && w.Next < 0 {
					return
				}
			}
		})
	}
	runners.Wait()
	checkErased(t, d, ids...)
}

// I2: a key that the claim fixed is destroyed, and no other.
func TestOnlyTheKeysOfTheErasedAreDestroyed(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 2)
	tellPerson(t, d.DB, "u2", 2)
	earlier := storetest.Requested(t, d.DB, "user_id", "u1")
	must(t, second(d.Cancel(t.Context(), earlier.ID, erasure.System, erasure.API)))
	storetest.Requested(t, d.DB, "user_id", "u1")
	d.clock.Advance(24 * time.Hour)
	must(t, second(d.ClaimDue(t.Context(), 1)))
	refs, err := d.KeysToDestroy(t.Context())
	must(t, err)
	if len(refs) != 4 { // two fragments, the request, and the one cancelled before
		t.Errorf("%d keys are to be destroyed, not 4", len(refs))
	}
	storetest.EraseAll(t, d.DB)
	for _, ref := range refs {
		if err := d.KeyError(t, ref); !errors.Is(err, seal.ErrDestroyed) {
			t.Errorf("a key is not destroyed: %v", err)
		}
	}
	p := storetest.One(t, d.DB, "user_id", "u2")
	if p, err := d.Profile(t.Context(), erasure.System, p.EffaceID); err != nil || len(p.Identifiers) != 4 {
		t.Errorf("the other person cannot be read: %v, %v", p.Identifiers, err)
	}
	if r, err := d.RequestDetails(t.Context(), erasure.System, earlier.ID); err != nil || r.Reason != "" || r.Asked.Value != "" {
		t.Errorf("the reason of the cancelled request is still there: %+v, %v", r, err)
	}
}

func TestAnIdentifierThatCannotBeReadHoldsUpNoErasure(t *testing.T) {
	d := openOnDisk(t)
	damaged := storetest.Identify(t, d.DB, "shop", "user_id", "u1", "email", "one@example.com")
	storetest.Identify(t, d.DB, "shop", "user_id", "u2")
	if damaged.Err != nil {
		t.Fatal(damaged.Err)
	}
	_, err := storetest.Raw(t, d.dir).Exec(`UPDATE identifiers SET sealed = substr(sealed, 1, length(sealed) - 1) || x'00' WHERE fragment = 1 AND n = 1`)
	must(t, err)
	var ids []erasure.RequestID
	for _, u := range []string{"u1", "u2"} {
		r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", u)[0], Suppress: true, Origin: erasure.API})
		must(t, err)
		ids = append(ids, r.ID)
	}
	p, err := d.Profile(t.Context(), erasure.System, storetest.One(t, d.DB, "user_id", "u1").EffaceID)
	if err != nil || len(p.Identifiers) != 2 || !p.Identifiers[0].Damaged || p.Identifiers[1].Value != "one@example.com" {
		t.Errorf("the profile shows %+v, %v", p.Identifiers, err)
	}
	d.clock.Advance(25 * time.Hour)
	storetest.EraseAll(t, d.DB)
	for _, id := range ids {
		if s := d.state(t, id); s != erasure.Completed {
			t.Errorf("%s is %s", id, s)
		}
	}
	for pair, want := range map[[2]string]store.Outcome{{"user_id", "u1"}: store.Added, {"email", "one@example.com"}: store.Suppressed, {"user_id", "u2"}: store.Suppressed} {
		if r := storetest.Identify(t, d.DB, "shop", pair[0], pair[1]); r.Outcome != want {
			t.Errorf("afterwards %v is %s", pair, r.Outcome)
		}
	}
}

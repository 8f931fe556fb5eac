package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// Whichever comes first, what the second caller is told is what becomes of the
// person's data.
func TestSuppressionIsAddedOrTheClaimCameFirst(t *testing.T) {
	d := openOnDisk(t)
	added := map[bool]int{}
	for i := range 40 {
		user := fmt.Sprint("u", i)
		storetest.Identify(t, d.DB, "shop", "user_id", user)
		id := storetest.Requested(t, d.DB, "user_id", user).ID
		d.clock.Advance(24 * time.Hour)
		var told erasure.Request
		both := []func(){
			func() { must(t, second(d.ClaimDue(t.Context(), 10))) },
			func() {
				r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", user)[0],
					Suppress: true, Origin: erasure.June, Actor: erasure.System})
				must(t, err)
				told = r
			},
		}
		if rand.IntN(2) == 0 {
			slices.Reverse(both)
		}
		d.Together(t, both...)
		storetest.EraseAll(t, d.DB)
		added[told.Suppress]++
		back := storetest.Identify(t, d.DB, "shop", "user_id", user)
		if told.ID != id || told.Suppress != (back.Outcome == store.Suppressed) {
			t.Errorf("told %v of %s, and what came back was %s", told.Suppress, told.ID, back.Outcome)
		}
	}
	if added[true] == 0 || added[false] == 0 {
		t.Errorf("each of them came first %v times: that is no race", added)
	}
	storetest.CheckLog(t, d.dir)
}

// A claim's suppressions are in its own commit: what arrives beside it goes with
// the erasure or is dropped, and never begins a new profile.
func TestWhatArrivesBesideAClaimNeverComesBack(t *testing.T) {
	d := openOnDisk(t)
	came := map[store.Outcome]int{}
	for i := range 40 {
		user := fmt.Sprint("u", i)
		storetest.Identify(t, d.DB, "shop", "user_id", user)
		r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", user)[0], Suppress: true, Origin: erasure.API})
		must(t, err)
		d.clock.Advance(24 * time.Hour)
		var back store.Result
		both := []func(){
			func() { must(t, second(d.ClaimDue(t.Context(), 10))) },
			func() { back = storetest.Identify(t, d.DB, "shop", "user_id", user, "email", user+"@example.com") },
		}
		if rand.IntN(2) == 0 {
			slices.Reverse(both)
		}
		d.Together(t, both...)
		storetest.EraseAll(t, d.DB)
		came[back.Outcome]++
		for _, id := range storetest.Identifiers("user_id", user, "email", user+"@example.com") {
			if found, err := d.Find(t.Context(), id); err != nil || len(found) != 0 {
				t.Errorf("%s came back, having been %s, %v", id.Key, back.Outcome, err)
			}
		}
		s, _, err := d.SuppressedSince(t.Context(), r)
		if err != nil || (s.Returns.Dropped == 1) != (back.Outcome == store.Suppressed) {
			t.Errorf("it was %s, and counted is %+v, %v", back.Outcome, s.Returns, err)
		}
	}
	if came[store.Added] == 0 || came[store.Suppressed] == 0 {
		t.Errorf("each of them came first %v times: that is no race", came)
	}
	storetest.CheckLog(t, d.dir)
}

func TestWritesThatShareACommitAreCountedOnceEach(t *testing.T) {
	d := openOnDisk(t)
	storetest.Identify(t, d.DB, "shop", "user_id", "u1")
	r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", "u1")[0], Suppress: true, Origin: erasure.API})
	must(t, err)
	d.clock.Advance(24 * time.Hour)
	storetest.EraseAll(t, d.DB)
	calls := make([]func(), 100)
	for i := range calls {
		calls[i] = func() { storetest.Identify(t, d.DB, "shop", "user_id", "u1") }
	}
	d.Together(t, calls...)
	if s, _, err := d.SuppressedSince(t.Context(), r); err != nil || s.Returns.Dropped != len(calls) {
		t.Errorf("of %d calls are counted %+v, %v", len(calls), s.Returns, err)
	}
}

// The first suppression of a store holds for what shares its commit, and not for
// what came before it there.
func TestASuppressionHoldsForWhatFollowsInItsCommit(t *testing.T) {
	d := openOnDisk(t)
	storetest.Identify(t, d.DB, "shop", "user_id", "u1")
	_, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", "u1")[0], Suppress: true, Origin: erasure.API})
	must(t, err)
	d.clock.Advance(24 * time.Hour)
	outcomes := make([]store.Outcome, 3)
	tells := func(i int, user string) func() {
		return func() { outcomes[i] = storetest.Identify(t, d.DB, "shop", "user_id", user).Outcome }
	}
	d.Together(t, tells(0, "u2"), tells(1, "u1"), func() { must(t, second(d.ClaimDue(t.Context(), 10))) }, tells(2, "u1"))
	if want := []store.Outcome{store.Added, store.Added, store.Suppressed}; !slices.Equal(outcomes, want) {
		t.Errorf("the outcomes are %v, not %v", outcomes, want)
	}
}

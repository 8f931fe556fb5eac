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

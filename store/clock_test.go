package store_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// I4: real stores on machines whose clocks jump, stand and reboot. What could
// be cancelled a moment ago is not claimed, what was claimed was due, and one
// of the two is always possible.
func TestNoClockMakesAStoreEraseEarlyOrNever(t *testing.T) {
	t.Parallel()
	for seed := range storetest.Scale(t, 50) {
		t.Run(fmt.Sprint("clock ", seed), func(t *testing.T) { eraseUnder(t, rand.New(rand.NewPCG(uint64(seed), 9))) })
	}
}

func eraseUnder(t *testing.T, r *rand.Rand) {
	d := openOnDisk(t)
	storetest.Identify(t, d.DB, "shop", "user_id", "u1")
	id := storetest.Requested(t, d.DB, "user_id", "u1").ID
	due := d.DueOf(t, id)
	for d.state(t, id) == erasure.Pending {
		switch r.IntN(4) {
		case 0:
			d.clock.SetWall(d.clock.Now().Wall.Add(time.Duration(r.Int64N(int64(80*time.Hour))) - 40*time.Hour))
			must(t, d.Beat(t.Context()))
		case 1:
			d.clock.Advance(time.Duration(r.Int64N(int64(5 * time.Hour))))
		case 2:
			d.clock.Reboot(time.Duration(r.Int64N(int64(6*time.Hour))) - 2*time.Hour)
			d = d.again(t)
		case 3:
			d = d.again(t)
		}
		before, err := d.Request(t.Context(), id)
		must(t, err)
		claimed, err := d.ClaimDue(t.Context(), 1)
		must(t, err)
		hb := d.StoreTime()
		if (claimed == 1) == before.Cancellable || (claimed == 1) != (hb.Passed() >= due) || claimed == 1 && hb.Store < due {
			t.Fatalf("at store time %d, held for %v, a request due at %d: claimed %d, cancellable before %v",
				hb.Store, hb.Held(), due, claimed, before.Cancellable)
		}
	}
	storetest.EraseAll(t, d.DB)
	checkErased(t, d, id)
}

// slowClock lets other readers overtake one that has just read it.
type slowClock struct{ *storetest.Clock }

func (c slowClock) Now() erasure.Reading {
	c.Advance(time.Millisecond)
	r := c.Clock.Now()
	runtime.Gosched()
	return r
}

// The store's time is one for all who ask at once: it never runs faster than
// the boot clock.
func TestTheStoresTimeDoesNotRunAheadUnderLoad(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, func(o *store.Options) { o.Clock = slowClock{clock} })
	ahead := func() int64 { hb := db.StoreTime(); return hb.Store - hb.Boottime }
	before := ahead()
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for range 2000 {
				db.StoreTime()
			}
		})
	}
	readers.Wait()
	if d := ahead() - before; d != 0 {
		t.Errorf("the store's time ran ahead by %d ms", d)
	}
}

// Two programs that start after a reboot agree on the store's time, and on
// the wait that a jump causes.
func TestTwoProgramsShareTheStoresTime(t *testing.T) {
	d := openOnDisk(t)
	storetest.Identify(t, d.DB, "shop", "user_id", "u1")
	id := storetest.Requested(t, d.DB, "user_id", "u1").ID
	d.clock.Reboot(30 * time.Hour)
	first := d.again(t)
	d.clock.Advance(10 * time.Minute)
	other := d.again(t)
	if a, b := first.StoreTime(), other.StoreTime(); a != b || a.Held() != 5*time.Minute {
		t.Fatalf("they read %+v and %+v", a, b)
	}
	if n, err := other.ClaimDue(t.Context(), 1); err != nil || n != 0 {
		t.Errorf("claimed %d in the wait, %v", n, err)
	}
	d.clock.Advance(5 * time.Minute)
	if _, err := first.Cancel(t.Context(), id, erasure.System, erasure.API); erasure.CodeOf(err) != erasure.CodeTooLate {
		t.Errorf("a cancel after the wait gives %v", err)
	}
	if n, err := other.ClaimDue(t.Context(), 1); err != nil || n != 1 {
		t.Errorf("claimed %d after the wait, %v", n, err)
	}
}

package store_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/storetest"
)

// Each entry's file is verified by the public key alone, against a checkpoint
// that is there already where one covers it.
func TestEveryEntryIsProven(t *testing.T) {
	d := openOnDisk(t)
	d.erased(t, "u1")
	v, err := evidence.ParseVerifier(d.LogKey())
	must(t, err)
	covered, err := d.Checkpoint(t.Context())
	must(t, err)
	must(t, d.LogExport(t.Context(), erasure.Terminal))
	for index := int64(0); index <= covered; index++ {
		file, err := d.Entry(t.Context(), index)
		must(t, err)
		p, err := evidence.VerifyEntry(file, v)
		must(t, err)
		a, err := d.ActivityAt(t.Context(), index)
		must(t, err)
		size := covered
		if index == covered {
			size++
		}
		if p.Index != index || p.Size != size || p.Kind != a.Kind || p.Time != evidence.Time(a.Time) || a.Index != index || p.Dropped {
			t.Errorf("entry %d is %+v, and Activity has %+v", index, p, a)
		}
	}
}

// What is left of an entry after its retention is proven as before.
func TestAnEntryIsProvenOnceItsContentIsGone(t *testing.T) {
	d := openOnDisk(t)
	id := d.erased(t, "u1")
	v, err := evidence.ParseVerifier(d.LogKey())
	must(t, err)
	read := func() evidence.PlacedEntry {
		file, err := d.Entry(t.Context(), 0)
		must(t, err)
		p, err := evidence.VerifyEntry(file, v)
		must(t, err)
		return p
	}
	before := read()
	d.clock.Advance(store.DefaultKeepLog + time.Second)
	_, err = d.Sweep(t.Context(), store.SweepOptions{})
	must(t, err)
	if after := read(); before.Dropped || !after.Dropped || after.Leaf != before.Leaf || after.Index != 0 {
		t.Errorf("the entry was %+v, and is %+v", before, after)
	}
	if a, err := d.ActivityAt(t.Context(), 0); err != nil || !a.Dropped {
		t.Errorf("Activity has %+v, %v", a, err)
	}
	as, err := d.RequestEntries(t.Context(), id)
	newest, err2 := d.NewestEntries(t.Context(), []erasure.Request{{ID: id}})
	if err != nil || err2 != nil || len(as) != 0 || len(newest) != 0 {
		t.Errorf("of the request are left %v, %v: %v, %v", as, newest, err, err2)
	}
}

// Asked for what is not there, the log is not signed for it either.
func TestThereIsNoEntryBeyondTheLog(t *testing.T) {
	d := openOnDisk(t)
	for _, index := range []int64{-1, math.MinInt64, 1 << 40, math.MaxInt64} {
		_, err := d.Entry(t.Context(), index)
		_, err2 := d.ActivityAt(t.Context(), index)
		if erasure.CodeOf(err) != erasure.CodeNotFound || erasure.CodeOf(err2) != erasure.CodeNotFound {
			t.Errorf("entry %d: %v, %v", index, err, err2)
		}
	}
	if _, err := d.CheckpointAt(t.Context(), 0); erasure.CodeOf(err) != erasure.CodeNotFound {
		t.Errorf("the log was signed: %v", err)
	}
}

// A request's entries are those of its changes: a look moves none of them.
func TestARequestsEntriesAreItsChanges(t *testing.T) {
	d := openOnDisk(t)
	operatorOf(t, d.DB, "admin@example.com", erasure.Admin)
	ann := operatorOf(t, d.DB, "ann@example.com", erasure.Staff)
	done := d.erased(t, "u1")
	tellPerson(t, d.DB, "u2", 1)
	waits := storetest.Requested(t, d.DB, "user_id", "u2").ID
	_, err := d.RequestDetails(t.Context(), ann, waits)
	must(t, err)
	newest, err := d.NewestEntries(t.Context(), []erasure.Request{{ID: done}, {ID: waits}, {}})
	must(t, err)
	want := map[erasure.RequestID][]erasure.Kind{
		done:  {erasure.RequestCreated, erasure.RequestClaimed, erasure.KeysDestroyed, erasure.RequestCompleted},
		waits: {erasure.RequestCreated},
	}
	if len(newest) != len(want) {
		t.Errorf("the newest entries are %v", newest)
	}
	for id, kinds := range want {
		as, err := d.RequestEntries(t.Context(), id)
		must(t, err)
		var got []erasure.Kind
		for _, a := range as {
			got = append(got, a.Kind)
		}
		if !slices.Equal(got, kinds) || newest[id] != as[len(as)-1].Index {
			t.Errorf("a request has the entries %v, the newest %d", as, newest[id])
		}
	}
}

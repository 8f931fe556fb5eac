package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// BenchmarkProfile compares somebody with ten records with somebody with a
// million: a look at the profile, and the point of no return, claim and log
// included. Both go in turns, and the medians are compared.
func BenchmarkProfile(b *testing.B) {
	const each = 3
	many := storetest.Scale(b, 1_000_000)
	clock := storetest.NewClock()
	db, err := store.Open(b.Context(), store.Options{Dir: filepath.Join(b.TempDir(), "data"), Clock: clock})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	sizes := []int{10, many}
	for _, records := range sizes {
		for i := range each {
			recorded(b, db, fmt.Sprint(records, "-", i), records)
		}
	}
	looks, ends := map[int][]time.Duration{}, map[int][]time.Duration{}
	for b.Loop() {
		for _, records := range sizes {
			p := storetest.One(b, db, "user_id", fmt.Sprint(records, "-0"))
			start := time.Now()
			if _, err := db.Profile(b.Context(), erasure.System, p.EffaceID); err != nil {
				b.Fatal(err)
			}
			looks[records] = append(looks[records], time.Since(start))
		}
	}
	for i := range each {
		for _, records := range sizes {
			storetest.Requested(b, db, "user_id", fmt.Sprint(records, "-", i))
			clock.Advance(25 * time.Hour)
			start := time.Now()
			claimed, err := db.ClaimDue(b.Context(), 10)
			if err != nil || claimed != 1 {
				b.Fatal(claimed, err)
			}
			if n, _, err := db.DestroyKeys(b.Context(), 10); err != nil || n != 1 {
				b.Fatal(n, err)
			}
			ends[records] = append(ends[records], time.Since(start))
		}
	}
	report := func(of string, took map[int][]time.Duration) {
		few, much := storetest.Median(took[10]), storetest.Median(took[many])
		b.ReportMetric(float64(few.Microseconds()), of+"-few-µs")
		b.ReportMetric(float64(much)/float64(few), of+"-ratio")
	}
	report("look", looks)
	report("end", ends)
}

func recorded(b *testing.B, db *store.DB, user string, records int) {
	b.Helper()
	for from := 0; from < records; from += 800 {
		var calls []ingest.Call
		for range min(800, records-from) {
			calls = append(calls, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: "shop",
				Identifiers: storetest.Identifiers("user_id", user), Record: []byte(`{"event":"Order Completed","properties":{"order_id":1}}`)})
		}
		if _, err := db.Ingest(b.Context(), calls); err != nil {
			b.Fatal(err)
		}
	}
}

package store_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// readThrough leaves a file in the system's cache, where that of a store at
// work is.
func readThrough(b *testing.B, path string) {
	b.Helper()
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(io.Discard, f); err != nil {
		b.Fatal(err)
	}
}

func benchStore(b *testing.B, n int) (db *store.DB, dir string) {
	b.Helper()
	dir = filepath.Join(b.TempDir(), "data")
	db, err := store.Open(b.Context(), store.Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	start := time.Now()
	storetest.People(b, db, n)
	b.Logf("%d profiles in %v", n, time.Since(start))
	return db, dir
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{10_000, storetest.Scale(b, 1_000_000)} {
		b.Run(fmt.Sprint("profiles=", n), func(b *testing.B) {
			db, dir := benchStore(b, n)
			readThrough(b, filepath.Join(dir, "efface.db"))
			var took []time.Duration
			for b.Loop() {
				id := storetest.Identifiers(erasure.KeyEmail, storetest.PersonEmail(rand.IntN(n)))[0]
				start := time.Now()
				found, err := db.Find(b.Context(), id)
				took = append(took, time.Since(start))
				if err != nil || len(found) != 1 {
					b.Fatal(len(found), err)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkErase compares the point of no return, claim and log included,
// with the deletion of the same people's rows: five identifiers and twenty
// records each, of people spread over a store of many.
func BenchmarkErase(b *testing.B) {
	const n = 5000
	all := storetest.Scale(b, 1_000_000)
	for b.Loop() {
		b.StopTimer()
		clock := storetest.NewClock()
		db, err := store.Open(b.Context(), store.Options{Dir: filepath.Join(b.TempDir(), "data"), Clock: clock})
		if err != nil {
			b.Fatal(err)
		}
		storetest.People(b, db, all)
		tracks(b, db, n, all/n)
		requestAll(b, db, n, all/n)
		clock.Advance(25 * time.Hour)
		b.StartTimer()

		start := time.Now()
		repeat(b, func() (bool, error) {
			claimed, err := db.ClaimDue(b.Context(), 500)
			if err != nil {
				return false, err
			}
			_, busy, err := db.DestroyKeys(b.Context(), 500)
			return claimed > 0 || busy, err
		})
		keys := time.Since(start)
		start = time.Now()
		repeat(b, func() (bool, error) {
			_, more, err := db.DeleteRows(b.Context(), 4000)
			return more, err
		})
		rows := time.Since(start)
		b.ReportMetric(n/keys.Seconds(), "destroyed/s")
		b.ReportMetric(n/rows.Seconds(), "deleted/s")
		b.ReportMetric(rows.Seconds()/keys.Seconds(), "ratio")
		db.Close()
	}
}

func repeat(b *testing.B, step func() (more bool, err error)) {
	b.Helper()
	for {
		more, err := step()
		if err != nil {
			b.Fatal(err)
		}
		if !more {
			return
		}
	}
}

func tracks(b *testing.B, db *store.DB, n, step int) {
	b.Helper()
	var calls []ingest.Call
	for round := range 20 {
		for _, i := range rand.Perm(n) {
			calls = append(calls, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: "bench", MessageID: fmt.Sprint(round, "-", i),
				Identifiers: []erasure.Identifier{{Table: erasure.User, Key: erasure.KeyUserID, Value: storetest.PersonID(i * step)}},
				Record:      []byte(`{"event":"Order Completed","properties":{"order_id":1,"total":1.98,"city":"Stuttgart"}}`)})
		}
	}
	for chunk := range slices.Chunk(calls, 800) {
		if _, err := db.Ingest(b.Context(), chunk); err != nil {
			b.Fatal(err)
		}
	}
}

func requestAll(b *testing.B, db *store.DB, n, step int) {
	b.Helper()
	var wait sync.WaitGroup
	for worker := range 64 {
		wait.Go(func() {
			for i := worker; i < n; i += 64 {
				_, _, err := db.RequestErasure(b.Context(), erasure.NewRequest{Origin: erasure.API, Actor: erasure.System,
					Asked: erasure.Identifier{Table: erasure.User, Key: erasure.KeyUserID, Value: storetest.PersonID(i * step)}})
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

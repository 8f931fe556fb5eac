package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// BenchmarkTree measures what leaf and tree add to a request, by store calls:
// entries that are hashed into the tree against the same ones that are only
// stored, and against what a request takes. Each with a commit of its own, and
// with those that 25 share.
func BenchmarkTree(b *testing.B) {
	people := storetest.Scale(b, 1_000_000)
	const requests = 5000
	clock := storetest.NewClock()
	dir := filepath.Join(b.TempDir(), "data")
	open := func(limit int) *store.DB {
		db, err := store.Open(b.Context(), store.Options{Dir: dir, Clock: clock, NoWitness: true, CommitLimit: limit})
		must(b, err)
		return db
	}
	db := open(0)
	storetest.People(b, db, people)
	must(b, db.Close())
	row := int64(-1)
	added := map[string][]float64{}
	for b.Loop() {
		for name, c := range map[string]struct{ limit, group int }{"own": {1, 1}, "shared": {0, 25}} {
			db := open(c.limit)
			began := time.Now()
			requestAll(b, db, requests, 1)
			request := time.Since(began).Seconds() / requests
			cancelAll(b, db, requests)
			plain := timed(b, requests/c.group, func() {
				must(b, db.Write(b.Context(), func(t *store.Tx) error {
					for range c.group {
						e := erasure.Entry{Index: row, Kind: erasure.RequestCreated, Actor: erasure.System}
						bytes, err := e.Canonical()
						must(b, err)
						if _, err := t.Exec(`INSERT INTO log_entries (idx, logged, kind, entry) VALUES ($1, 0, 'x', $2)`, row, bytes); err != nil {
							return err
						}
						row--
					}
					return nil
				}))
			})
			hashed := timed(b, requests/c.group, func() {
				must(b, db.Write(b.Context(), func(t *store.Tx) error {
					for range c.group {
						t.Log(erasure.Entry{Kind: erasure.LogsExported, Actor: erasure.System})
					}
					return nil
				}))
			})
			must(b, db.Close())
			tree := (hashed - plain) / float64(c.group)
			added[name+"-added"] = append(added[name+"-added"], tree/(request-tree))
			added[name+"-us"] = append(added[name+"-us"], tree*1e6)
		}
	}
	for name, all := range added {
		b.ReportMetric(storetest.Median(all), name)
	}
}

func timed(b *testing.B, n int, do func()) float64 {
	b.Helper()
	began := time.Now()
	for range n {
		do()
	}
	return time.Since(began).Seconds() / float64(n)
}

// cancelAll cancels what requestAll asked for, so that it can be asked again.
func cancelAll(b *testing.B, db *store.DB, n int) {
	b.Helper()
	for i := range n {
		id := erasure.Identifier{Table: erasure.User, Key: erasure.KeyUserID, Value: storetest.PersonID(i)}
		if _, err := db.CancelByIdentifier(b.Context(), id, erasure.System, erasure.API); err != nil {
			b.Fatal(fmt.Errorf("cancelling: %w", err))
		}
	}
}

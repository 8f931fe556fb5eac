package store_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mattn/go-sqlite3"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// While two programs have something to write, neither makes many commits in a
// row: without turns, hundreds.
func TestProgramsThatWriteTakeTurns(t *testing.T) {
	t.Parallel()
	const commits = 2000
	dir := filepath.Join(t.TempDir(), "data")
	var programs [2]*store.DB
	for i := range programs {
		programs[i] = storetest.Open(t, storetest.InDir(dir), func(o *store.Options) { o.CommitLimit = 1 })
	}
	var asked atomic.Int64
	allAsked := func(*store.Tx) error {
		for asked.Load() < commits*int64(len(programs)) {
			runtime.Gosched()
		}
		return nil
	}
	var order []int // of the commits, by their programs
	var mu sync.Mutex
	var running sync.WaitGroup
	write := func(db *store.DB, fn func(*store.Tx) error) {
		if err := db.Write(t.Context(), fn); err != nil {
			t.Error(err)
		}
	}
	running.Go(func() { write(programs[0], allAsked) })
	for i, db := range programs {
		for range commits {
			running.Go(func() {
				asked.Add(1)
				write(db, func(*store.Tx) error {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, i)
					return nil
				})
			})
		}
	}
	running.Wait()
	if n := handedOver(order); n < commits/10 {
		t.Errorf("of %d commits each, the turn went from one program to the other %d times", commits, n)
	}
}

// handedOver counts how often another program came after one.
func handedOver(order []int) (n int) {
	for i := 1; i < len(order); i++ {
		if order[i] != order[i-1] {
			n++
		}
	}
	return n
}

func TestTurnsComeInTheOrderInWhichTheyAreAskedFor(t *testing.T) {
	dir := t.TempDir()
	a, b, c := store.NewTurns(t, dir), store.NewTurns(t, dir), store.NewTurns(t, dir)
	turn := func(ofA, ofB, ofC bool) {
		t.Helper()
		if a.Comes() != ofA || b.Comes() != ofB || c.Comes() != ofC {
			t.Errorf("it is a's turn: %v, b's: %v, c's: %v", a.Comes(), b.Comes(), c.Comes())
		}
	}
	a.Ask()
	b.Ask()
	c.Ask()
	turn(true, false, false)
	a.End()
	a.Ask() // as who has just committed does
	turn(false, true, false)
	b.End()
	b.Ask()
	turn(false, false, true)
	a.GiveUp() // c was stopped
	turn(true, false, true)
	a.End()
	a.Ask()
	turn(false, false, true) // of b, had it given up too
	b.End()
	if !a.Comes() {
		t.Error("who was stopped is waited for twice")
	}
}

func TestALockedStoreIsToldAsWhatItIs(t *testing.T) {
	err := storetest.Open(t).Explain(fmt.Errorf("beginning a write: %w", sqlite3.Error{Code: sqlite3.ErrBusy}))
	if erasure.CodeOf(err) != erasure.CodeConflict || !strings.Contains(err.Error(), "Another program keeps the store in ") {
		t.Errorf("it is told as %v", err)
	}
}

package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/efface/efface/store/erasure"
)

// Status is what the person who runs it at night wants to know.
type Status struct {
	// Waiting is for how long overwritten keys have waited for an open reader
	// of the keyring's log; zero where none do.
	Waiting time.Duration
	// Held is for how long claims still wait because of a clock that jumped.
	Held time.Duration
	Open map[erasure.State]int // open requests by state
}

// waiting notes since when a truncation of the keyring's log has been refused
// by an open reader.
type waiting struct{ since atomic.Int64 } // boottime in ms; 0: not waiting

// Waiting notes whether destroyed keys wait for an open reader, and returns
// for how long they have.
func (db *DB) Waiting(busy bool) time.Duration {
	if !busy {
		db.waiting.since.Store(0)
		return 0
	}
	now := max(1, db.options.Clock.Now().Boottime.Milliseconds())
	db.waiting.since.CompareAndSwap(0, now)
	return time.Duration(now-db.waiting.since.Load()) * time.Millisecond
}

// Status reads the store's state. It fails where the store cannot be read.
func (db *DB) Status(ctx context.Context) (Status, error) {
	s := Status{Held: db.Held(), Open: map[erasure.State]int{}}
	if since := db.waiting.since.Load(); since != 0 {
		s.Waiting = db.options.Clock.Now().Boottime - time.Duration(since)*time.Millisecond
	}
	rows, err := db.reads.QueryContext(ctx, `SELECT state, COUNT(*) FROM requests
		WHERE state IN ('pending', 'in_progress', 'failed') GROUP BY state`)
	if err != nil {
		return s, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var state string
		var n int
		err := scan(&state, &n)
		s.Open[erasure.State(state)] = n
		return err
	})
	return s, err
}

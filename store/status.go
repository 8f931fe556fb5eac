package store

import (
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
	// Tests is what became of the test persons.
	Tests erasure.TestPersons
	// Hits is of how many open requests the check after the deletion found
	// something that should be gone.
	Hits int64
	// Unwitnessed is how many log entries the witness lacks.
	Unwitnessed int64
	// WitnessBeside is whether the witness stands on the disk of the data: then
	// nobody notices where the whole disk is rolled back.
	WitnessBeside bool
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

// Status tells what the store waits for.
func (db *DB) Status() Status {
	s := Status{
		Held: db.Held(), Tests: db.TestPersons(), Hits: db.hits.Load(),
		Unwitnessed: max(0, db.witness.logged.Load()-db.witness.entries.Load()), WitnessBeside: db.witness.beside,
	}
	if since := db.waiting.since.Load(); since != 0 {
		s.Waiting = db.options.Clock.Now().Boottime - time.Duration(since)*time.Millisecond
	}
	return s
}

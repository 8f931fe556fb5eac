package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/efface/efface/store/erasure"
)

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

// Status tells how the store stands. It reads no file, for every page tells of
// it.
func (db *DB) Status() erasure.Status {
	s := erasure.Status{Held: db.Held(), Tests: db.TestPersons(), Hits: db.hits.Load(), Witness: db.witness.status()}
	s.Witness.Dir = db.options.Witness
	if since := db.waiting.since.Load(); since != 0 {
		s.Waiting = db.options.Clock.Now().Boottime - time.Duration(since)*time.Millisecond
	}
	return s
}

// ErrKeyring says that the keyring can't be read.
var ErrKeyring = errors.New("reading the keyring")

// Reach writes to the database and its witness, and reads the keyring. The error
// is [ErrWitness] or [ErrKeyring] where it was one of them.
func (db *DB) Reach(ctx context.Context) error {
	if err := db.Beat(ctx); err != nil {
		return err
	}
	if _, err := db.keyring.MaxRow(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrKeyring, err)
	}
	return nil
}

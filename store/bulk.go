package store

import (
	"context"
	"errors"

	"github.com/efface/efface/store/erasure"
)

// Spool takes a list of people to be erased as it arrives, sealed under a key
// of the list's own. It is for one goroutine.
type Spool struct {
	db *DB
	id erasure.BatchID
}

// OpenSpool begins a list. It must be ended by Check, Confirm or Discard; one
// that a crash leaves open is destroyed at the next start.
func (db *DB) OpenSpool(ctx context.Context, n erasure.NewBulk) (*Spool, error) {
	return nil, errors.New("to come")
}

// Add adds a line. What it says of a person is on the disk sealed, or in memory.
func (s *Spool) Add(ctx context.Context, l erasure.Line) error { return errors.New("to come") }

// Discard destroys a list and all that was kept of it. It is of no effect after
// Check or Confirm.
func (s *Spool) Discard(ctx context.Context) error { return errors.New("to come") }

// Check ends a list that a person is to confirm, and gives it to be looked up
// (see [DB.CheckBulk]).
func (s *Spool) Check(ctx context.Context) (erasure.BatchID, error) {
	return s.id, errors.New("to come")
}

// Confirm ends a list that needs no confirmation: it is to be queued (see
// [DB.QueueBulk]), whatever happens. Where the call was marked and made before,
// the list is discarded, the id is that of the first one, and repeated is true.
// The same mark with another list is an [erasure.CodeKeyReused].
func (s *Spool) Confirm(ctx context.Context, o Once) (id erasure.BatchID, repeated bool, err error) {
	return s.id, false, errors.New("to come")
}

// Bulk reads a list's state. Its error is [erasure.CodeNotFound] also where the
// list was given up or has expired.
func (db *DB) Bulk(ctx context.Context, id erasure.BatchID) (erasure.Bulk, error) {
	return erasure.Bulk{}, errors.New("to come")
}

// CheckBulk looks up the lines of a list and counts what they lead to.
func (db *DB) CheckBulk(ctx context.Context, id erasure.BatchID) error { return errors.New("to come") }

// ConfirmBulk gives a checked list to be queued, where it would ask for exactly
// so many profiles; else, or where it was confirmed before, it is an
// [erasure.CodeConflict] about "confirm".
func (db *DB) ConfirmBulk(ctx context.Context, id erasure.BatchID, actor erasure.Actor, profiles int) error {
	return errors.New("to come")
}

// DiscardBulk destroys a list that was not confirmed.
func (db *DB) DiscardBulk(ctx context.Context, id erasure.BatchID, actor erasure.Actor) error {
	return errors.New("to come")
}

// QueueBulk makes the requests of a confirmed list, some hundred lines to a
// commit, and returns once all of its lines are done. Several may work at one
// list. A list that was checked asks for those profiles alone that the check
// found.
func (db *DB) QueueBulk(ctx context.Context, id erasure.BatchID) error { return errors.New("to come") }

// BulkResults calls fn with the result of each line, in their order, of a list
// that is done. A line of a cancelled list that was not reached has none.
func (db *DB) BulkResults(ctx context.Context, id erasure.BatchID, fn func(erasure.LineResult) error) error {
	return errors.New("to come")
}

// UnfinishedBulks lists the lists that are to be checked or queued.
func (db *DB) UnfinishedBulks(ctx context.Context) ([]erasure.Bulk, error) {
	return nil, errors.New("to come")
}

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/witness"
)

// ErrWitness says that a commit could not be written to the witness. What was
// asked for is in the store but not acknowledged, and no other write is taken
// until the witness has it.
var ErrWitness = errors.New("writing to the witness")

// witnessing writes what commits add to the witness. What is acknowledged is
// there as well.
type witnessing struct {
	*witness.Witness // nil while it is not open
	key              seal.Key

	writing sync.Mutex
	pending []testimony // of commits, the oldest first
	behind  atomic.Bool // the last try failed

	old     string       // where the files of the one before are; "" unless it was started anew
	beside  bool         // it is on the disk of the data
	logged  atomic.Int64 // how many entries the log had at this program's last commit
	entries atomic.Int64 // how many of the log's are durable in it
	signed  atomic.Int64 // how many the newest head there signs
	unseen  unseen

	compared atomic.Pointer[comparison] // nil where it was not since the start
}

// testimony is what a commit adds to the witness.
type testimony struct {
	first      int64    // the index of the first entry
	entries    [][]byte // as they stand in the log
	head       checkpoint
	asked      []askedFor
	ended      []erasure.RequestID
	suppressed []witness.Suppression
}

func (w testimony) empty() bool {
	return len(w.entries) == 0 && w.head.signed == "" && len(w.suppressed) == 0
}

// testimony collects what the transaction adds, before its COMMIT.
func (t *tx) testimony(first int64, rows []entryRow) (w testimony, err error) {
	w = testimony{first: first, suppressed: t.suppressions}
	if len(t.heads) > 0 {
		w.head = t.heads[len(t.heads)-1]
	}
	for i, p := range t.entries {
		w.entries = append(w.entries, rows[i].bytes)
		switch {
		case p.asked != nil:
			w.asked = append(w.asked, *p.asked)
		case p.entry.To == erasure.Completed || p.entry.To == erasure.Cancelled:
			w.ended = append(w.ended, *p.entry.Request)
		case changesAsked[p.entry.Kind]:
			more, err := t.askedAnew(*p.entry.Request)
			if err != nil {
				return w, fmt.Errorf("reading what was asked for: %w", err)
			}
			w.asked = append(w.asked, more...)
		}
	}
	return w, nil
}

// writeWitness makes commits durable in the witness, with those that it has not
// taken before. Without any it reports whether it would take the next one: what is
// committed and not taken is not acknowledged, and yet in the store.
func (db *DB) writeWitness(more []testimony) error {
	w := &db.witness
	var err error
	if len(more) == 0 {
		if err = w.takes(); err == nil && !w.behind.Load() {
			return nil
		}
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	w.pending = append(w.pending, more...)
	if w.Witness == nil { // what is written before it is open is found then
		w.allSeen()
		return nil
	}
	if err == nil {
		err = w.Update(func(u *witness.Update) error { return db.testify(u, w.pending) })
	}
	if err != nil {
		if !w.behind.Swap(true) {
			db.log.Error("the witness can't be written to; no write is taken until it can", "error", err)
		}
		return fmt.Errorf("%w: %w", ErrWitness, err)
	}
	if w.behind.Swap(false) {
		db.log.Info("the witness has been written to again")
	}
	w.allSeen()
	return nil
}

// takes reports whether what is written next is likely to be taken.
func (w *witnessing) takes() error {
	if w.Witness == nil {
		return nil
	}
	return w.Takes(witnessRoom)
}

// witnessRoom is what a commit may take of the witness's disk, with as much to
// spare: a part of a list has 4,000 lines, each with an entry and a request of some
// 500 bytes.
const witnessRoom = 8 << 20

func (w *witnessing) allSeen() {
	for _, c := range w.pending {
		if n := int64(len(c.entries)); n > 0 {
			w.entries.Store(c.first + n)
		}
		w.signed.Store(max(w.signed.Load(), c.head.size))
		w.unseen.remove(c.ended)
	}
	w.pending = nil
}

func (db *DB) testify(u *witness.Update, commits []testimony) error {
	for _, c := range commits {
		if err := db.testifyOne(u, c); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) testifyOne(u *witness.Update, c testimony) error {
	if len(c.entries) > 0 {
		if err := db.catchUp(u, c.first); err != nil {
			return err
		}
		// Another program may have written some of them.
		left := c.entries[min(max(0, u.Next()-c.first), int64(len(c.entries))):]
		if err := u.Append(append(bytes.Join(left, []byte{'\n'}), ends(left)...), len(left)); err != nil {
			return err
		}
	}
	if c.head.signed != "" {
		if err := db.setHead(u, c.head); err != nil {
			return err
		}
	}
	asked, err := db.sealAsked(c.asked)
	if err == nil {
		err = u.Put(asked)
	}
	if err != nil {
		return err
	}
	u.End(c.ended)
	return u.Suppress(c.suppressed)
}

// ends is the end of the last line, where there is one.
func ends(lines [][]byte) []byte {
	if len(lines) == 0 {
		return nil
	}
	return []byte{'\n'}
}

func (db *DB) setHead(u *witness.Update, c checkpoint) error {
	if err := db.catchUp(u, c.size); err != nil {
		return err
	}
	return u.SetHead(c.size, c.signed, evidence.CheckpointLine(c.signed))
}

// catchUp writes the entries up to an index that the witness lacks: other
// programs write to the same log, and one of them may be slower.
func (db *DB) catchUp(u *witness.Update, to int64) error {
	for u.Next() < to {
		lines, err := db.logLines(context.Background(), u.Next(), to)
		if err != nil {
			return fmt.Errorf("reading the log from entry %d on: %w", u.Next(), err)
		}
		n := bytes.Count(lines, []byte{'\n'})
		if n == 0 {
			return fmt.Errorf("the log lacks entry %d", u.Next())
		}
		if err := u.Append(lines, n); err != nil {
			return err
		}
	}
	return nil
}

// unseen are the requests that have ended in a commit which is not in the
// witness yet. A completed one is shown as in progress for as long.
type unseen struct {
	mu    sync.RWMutex
	ended map[erasure.RequestID]bool
}

func (u *unseen) add(ids []erasure.RequestID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended == nil {
		u.ended = map[erasure.RequestID]bool{}
	}
	for _, id := range ids {
		u.ended[id] = true
	}
}

func (u *unseen) remove(ids []erasure.RequestID) {
	if len(ids) == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, id := range ids {
		delete(u.ended, id)
	}
}

func (u *unseen) has(id erasure.RequestID) bool {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.ended[id]
}

package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/witness"
)

// history is what the log tells: of what came after the backup all that is to be
// done again, and of all time which keys were destroyed.
type history struct {
	behind   bool // the witness lacks some of the database's own entries
	requests map[erasure.RequestID]*sinceBackup
	newest   time.Time                      // when the last of them was written
	untold   bool                           // the content of an entry since the backup has gone
	renewed  bool                           // a restore since has given pending requests a new window
	merges   [][]uuid.UUID                  // the one that stays first
	accounts []erasure.Entry                // changes of operators and API keys
	erased   map[[16]byte]erasure.RequestID // by the ids of the keys
	asked    map[erasure.RequestID]askedFor // the open requests
	suppress map[string]witness.Suppression // by fingerprint
	lifted   map[erasure.RequestID]bool     // of which a suppression was lifted since
	wanted   map[erasure.RequestID]bool     // by which suppression is known to have been asked for since
}

// readHistory reads what the backup's own log tells, and grows it again from the
// witness. It changes nothing but the store that is being prepared.
func (db *DB) readHistory(ctx context.Context) error {
	h := &db.restoring.history
	*h = history{requests: map[erasure.RequestID]*sinceBackup{}, erased: map[[16]byte]erasure.RequestID{},
		asked: map[erasure.RequestID]askedFor{}, suppress: map[string]witness.Suppression{}, wanted: map[erasure.RequestID]bool{}, lifted: map[erasure.RequestID]bool{}}
	if err := db.readErased(ctx); err != nil {
		return fmt.Errorf("reading which keys were destroyed: %w", err)
	}
	if db.restoring.WithoutWitness {
		there, err := witness.There(db.options.Witness)
		if err == nil && there {
			err = erasure.Errorf(erasure.CodeConflict, "There is a witness in %s; leave out --without-witness or, where it is damaged, move it aside and keep it.", db.options.Witness)
		}
		return err
	}
	err := db.openWitnessFiles(db.options.Witness)
	if err == nil {
		err = db.readWitness(ctx)
	}
	if err != nil {
		return db.restoreWitnessError(err)
	}
	return nil
}

const sinceIsLost = "then what was asked for and erased since the backup is lost"

// restoreWitnessError turns what stops the reading of a witness into a sentence
// that says what to do.
func (db *DB) restoreWitnessError(err error) error {
	dir := db.options.Witness
	var bad *witness.Damaged
	switch {
	case errors.As(err, &bad):
		return erasure.Errorf(erasure.CodeInvalid, "Line %d of %s, in the witness, is damaged; put a good copy of the witness there or, where there is none, move it aside and add --without-witness: %s.", bad.Line, bad.Path, sinceIsLost)
	case errors.Is(err, fs.ErrNotExist):
		return erasure.Errorf(erasure.CodeInvalid, "The witness in %s is missing or not whole; name its place with --witness or, where it is lost, add --without-witness: %s.", dir, sinceIsLost)
	}
	if Full(err) {
		return erasure.Errorf(erasure.CodeInvalid, "The disk that holds %s, the store's witness, is full; make room on it and run the same efface restore again.", dir)
	}
	return db.witnessError(err)
}

const entriesQuery = `SELECT e.idx, e.entry, h.hash FROM log_entries e JOIN log_hashes h ON h.idx = e.idx WHERE e.idx > $1 ORDER BY e.idx LIMIT $2`

// readErased reads every entry, for what an entry is says its content alone, and
// that is right where it fits its hash in the tree.
func (db *DB) readErased(ctx context.Context) error {
	for last, n := int64(-1), linesPerRead; n == linesPerRead; {
		n = 0
		rows, err := db.reads.QueryContext(ctx, entriesQuery, last, linesPerRead)
		if err != nil {
			return err
		}
		err = eachRow(rows, func(scan func(...any) error) error {
			var b sql.RawBytes
			var hash [32]byte
			if err := scan(&last, &b, scan32(&hash)); err != nil {
				return err
			}
			n++
			if erasure.EntryHash(b) != hash {
				return erasure.Errorf(erasure.CodeInvalid, "Entry %d of the deletion log in this efface.db is not the one that was written; use another backup.", last)
			}
			if !bytes.Contains(b, []byte(`"kind":"`+erasure.KeysDestroyed+`"`)) {
				return nil
			}
			e, err := erasure.ParseEntry(b)
			db.restoring.history.takeErased(e)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readWitness grows the log from the witness's entries, compares its tree with
// the newest signed head, and reads the open requests and the suppressions.
func (db *DB) readWitness(ctx context.Context) error {
	var before, size int64
	if err := db.reads.QueryRowContext(ctx, logSizeQuery).Scan(&before); err != nil {
		return err
	}
	if err := db.regrow(ctx, before); err != nil {
		return err
	}
	if db.restoring.history.untold && db.restoring.KeyringFrom != "" {
		return erasure.Errorf(erasure.CodeInvalid, "The witness in %s does not have the content of all entries since the backup, so that nobody knows whom this copy of the keyring would bring back; use a newer backup, or leave out --keyring-from to use the keyring that is there.", db.options.Witness)
	}
	if err := db.reads.QueryRowContext(ctx, logSizeQuery).Scan(&size); err != nil {
		return err
	}
	err := db.witness.Update(func(u *witness.Update) error {
		h := &db.restoring.history
		if h.behind = u.Next() < before; u.Next() < db.restoring.manifest.Entries {
			return erasure.Errorf(erasure.CodeInvalid, "The witness in %s is older than the backup; put its newest copy there or, where it is lost, move it aside and add --without-witness: %s.", db.options.Witness, sinceIsLost)
		}
		signed, err := db.checkHead(ctx, u.Head(), size)
		if err == nil && signed < before { // what is signed of the backup's own entries was compared
			err = db.checkEntries(ctx, signed)
		}
		return err
	})
	if erasure.CodeOf(err) == erasure.CodeConflict {
		err = erasure.Errorf(erasure.CodeConflict, "The witness in %s is not that of this store: they tell of the deletion log differently; name the place of its own with --witness, or use another backup.", db.options.Witness)
	}
	if err != nil {
		return err
	}
	h := &db.restoring.history
	err = db.witness.Requests(func(q witness.Request) error {
		a, err := db.openAskedFor(q)
		h.asked[q.ID] = a
		return err
	})
	if err == nil {
		err = db.countUnasked()
	}
	if err != nil {
		return err
	}
	if err := db.witness.Suppressions(h.takeSuppression); err != nil {
		return err
	}
	return db.keepSuppressions(ctx)
}

// regrownInCommit is how many entries one commit takes over.
const regrownInCommit = 10_000

// regrow takes over the entries from an index on.
func (db *DB) regrow(ctx context.Context, from int64) error {
	now, hb := db.now()
	var rows []entryRow
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		err := db.write(ctx, func(t *tx) error { return t.growLog(rows) })
		rows = rows[:0]
		return err
	}
	var failed error // the store's own, which is no damage of the witness
	err := db.witness.Entries(from, func(index int64, line []byte) error {
		row, at, err := db.restoring.history.read(index, line)
		if err != nil {
			return err
		}
		row.logged = storeTime(now, hb, at)
		rows = append(rows, row)
		if len(rows) == regrownInCommit {
			failed = flush()
		}
		db.restoring.Did.Entries++
		return failed
	})
	if failed != nil || err != nil {
		return errors.Join(failed, err)
	}
	if err := flush(); err != nil {
		return err
	}
	return db.regrowHeads(ctx)
}

// read reads an entry's line, which must be one that verifiers take. One whose content
// has gone tells nothing. That the bytes are right is known from the tree's hash, as far
// as the newest head signs.
func (h *history) read(index int64, line []byte) (row entryRow, at time.Time, err error) {
	row.index = index
	hash, dropped, err := evidence.LineHash(line, index)
	row.hash = hash
	if err != nil || dropped {
		h.untold = h.untold || dropped
		return row, at, err
	}
	e, err := erasure.ParseEntry(line)
	if err != nil {
		return row, at, err
	}
	h.take(e)
	row.bytes, row.kind, row.request = bytes.Clone(line), e.Kind, null16(e.Request)
	return row, e.Time, nil
}

// storeTime is what the store's time was when the wall clock showed this, as
// near as can be known.
func storeTime(now time.Time, hb erasure.Heartbeat, at time.Time) int64 {
	return hb.Store - max(0, now.Sub(at).Milliseconds())
}

// regrowHeads takes over the checkpoints that were signed since: somebody may
// hold one.
func (db *DB) regrowHeads(ctx context.Context) error {
	var heads []checkpoint
	err := db.witness.Heads(func(size int64, signed string) error {
		heads = append(heads, checkpoint{size: size, signed: signed})
		return nil
	})
	if err != nil {
		return err
	}
	return db.write(ctx, func(t *tx) error {
		for _, c := range heads {
			if _, err := t.exec(insertCheckpoint, c.size, t.hb.Store, c.signed); err != nil {
				return err
			}
		}
		return nil
	})
}

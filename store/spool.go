package store

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// How much of a list is sealed as one row, and later queued in one commit:
// whichever is reached first. Fewer lines would write the same pages of the
// requests' indexes again for each commit; more would keep other writers
// waiting for longer than a fifth of a second.
const (
	chunkLines = 4000
	chunkBytes = 256 << 10
)

// discarded is the stage of a list that was given up, until its rows are gone.
const discarded erasure.Stage = "discarded"

// Spool takes a list of people to be erased as it arrives, sealed under a key
// of the list's own. It is for one goroutine.
type Spool struct {
	db     *DB
	id     erasure.BatchID
	actor  erasure.Actor
	key    seal.Key
	held   []erasure.Line // of the chunk to come
	size   int            // of held, in bytes
	lines  int
	chunks int
	ended  bool
}

// OpenSpool begins a list. It must be ended by Check, Confirm or Discard within
// [erasure.BulkLife]; one that a crash leaves open is destroyed at the next
// start.
func (db *DB) OpenSpool(ctx context.Context, n erasure.NewBulk) (*Spool, error) {
	if err := checkWords(n.Reason, n.Reference); err != nil {
		return nil, err
	}
	k, err := db.keys.Take(ctx)
	if err != nil {
		return nil, err
	}
	s := &Spool{db: db, actor: n.Actor, key: k}
	var reason []byte
	if n.Reason != "" {
		reason = k.Seal([]byte(n.Reason), spoolAD("reason", 0))
	}
	err = db.write(ctx, func(t *tx) error {
		if _, err := t.stands(n.Actor, erasure.Admin, erasure.Staff); err != nil {
			return err
		}
		s.id = erasure.NewBatchID(t.now)
		_, err := t.exec(`INSERT INTO spools (batch, stage, origin, actor_kind, actor_id, reference, suppress, reason, sent_at, expires, key_row, key_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, s.id[:], string(erasure.Receiving), string(n.Origin),
			string(n.Actor.Kind), n.Actor.ID[:], n.Reference, n.Suppress, reason, t.now.UnixMilli(),
			t.hb.Store+erasure.BulkLife.Milliseconds(), k.Ref.Row, k.Ref.ID[:])
		return err
	})
	return s, err
}

func spoolAD(column string, n int) seal.AD {
	return seal.AD{Table: "spools", Column: column, N: int64(n)}
}

// checkWords refuses what may not be said with a request.
func checkWords(reason, reference string) error {
	if err := erasure.CheckReference(reference); err != nil {
		return err
	}
	if utf8.RuneCountInString(reason) > erasure.ReasonLength {
		return erasure.Errorf(erasure.CodeInvalid, "Shorten the reason to 1,000 characters.").In("reason")
	}
	return nil
}

// Add adds a line. What it says of a person is on the disk sealed, or in memory.
// One over [erasure.ListLines] is an [erasure.CodeTooLarge].
func (s *Spool) Add(ctx context.Context, l erasure.Line) error {
	if s.lines+len(s.held) == erasure.ListLines {
		return errLongList
	}
	s.held = append(s.held, l)
	s.size += len(l.Asked.Key) + len(l.Asked.Value) + len(l.Reason) + len(l.Reference) + len(l.Refused)
	if len(s.held) < chunkLines && s.size < chunkBytes {
		return nil
	}
	return s.flush(ctx)
}

var errLongList = erasure.Errorf(erasure.CodeTooLarge, "Split the list: it may have 5,000,000 lines at most.")

func (s *Spool) flush(ctx context.Context) error {
	if len(s.held) == 0 {
		return nil
	}
	b, err := pack(s.held)
	if err != nil {
		return fmt.Errorf("writing lines %d to %d: %w", s.lines+1, s.lines+len(s.held), err)
	}
	if err := s.db.roomForLists(); err != nil {
		return err
	}
	sealed := s.key.Seal(b, spoolAD("sealed", s.chunks))
	err = s.db.write(ctx, func(t *tx) error {
		n, err := t.exec(`INSERT INTO spooled (batch, n, sealed) SELECT batch, $1, $2 FROM spools WHERE batch = $3 AND stage = $4`,
			s.chunks, sealed, s.id[:], string(erasure.Receiving))
		if err == nil && n == 0 {
			return errNoBulk // it has taken longer than a list may
		}
		return err
	})
	if err != nil {
		return err
	}
	s.lines += len(s.held)
	s.chunks++
	s.held, s.size = s.held[:0], 0
	return nil
}

// Discard destroys a list and all that was kept of it. It is of no effect after
// Check or Confirm.
func (s *Spool) Discard(ctx context.Context) error {
	if s.ended {
		return nil
	}
	err := s.db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE spools SET stage = $1 WHERE batch = $2 AND stage = $3`, string(discarded), s.id[:], string(erasure.Receiving))
		return err
	})
	if err != nil {
		return err
	}
	s.ended = true
	_, err = s.db.destroySpool(ctx, s.id)
	return err
}

// Check ends a list that a person is to confirm, and gives it to be looked up
// (see [DB.CheckBulk]).
func (s *Spool) Check(ctx context.Context) (erasure.BatchID, error) {
	if err := s.flush(ctx); err != nil {
		return s.id, err
	}
	err := s.db.write(ctx, func(t *tx) error {
		if _, err := t.stands(s.actor, erasure.Admin, erasure.Staff); err != nil {
			return err
		}
		return s.end(t, erasure.Checking, t.hb.Store+erasure.BulkLife.Milliseconds())
	})
	s.ended = err == nil
	return s.id, err
}

// Confirm ends a list that needs no confirmation: it is to be queued (see
// [DB.QueueBulk]), whatever happens. Where the call was marked and made before,
// the list is discarded, the id is that of the first one, and repeated is true.
// The same mark with another list is an [erasure.CodeKeyReused].
func (s *Spool) Confirm(ctx context.Context, o Once) (id erasure.BatchID, repeated bool, err error) {
	if err := s.flush(ctx); err != nil {
		return s.id, false, err
	}
	err = s.db.write(ctx, func(t *tx) error {
		if _, err := t.stands(s.actor, erasure.Admin, erasure.Staff); err != nil {
			return err
		}
		id, repeated, err = onceID(t, s.actor, o, func() (erasure.BatchID, error) {
			if err := s.end(t, erasure.Queueing, 0); err != nil {
				return s.id, err
			}
			return s.id, t.confirmed(s.id)
		})
		return err
	})
	if err != nil {
		return s.id, false, err
	}
	if repeated {
		return id, true, s.Discard(ctx)
	}
	s.ended = true
	return id, false, nil
}

func (s *Spool) end(t *tx, to erasure.Stage, expires int64) error {
	n, err := t.exec(`UPDATE spools SET stage = $1, expires = $2, lines = $3, chunks = $4 WHERE batch = $5 AND stage = $6`,
		string(to), expires, s.lines, s.chunks, s.id[:], string(erasure.Receiving))
	if err == nil && n == 0 {
		return errNoBulk
	}
	return err
}

// confirmed makes a list the batch that it is from now on.
func (t *tx) confirmed(id erasure.BatchID) error {
	_, err := t.exec(`INSERT INTO batches (id, origin, actor_kind, actor_id, reference, requested_at, requested, matched)
		SELECT batch, origin, actor_kind, actor_id, reference, $1, lines, 0 FROM spools WHERE batch = $2`, t.now.UnixMilli(), id[:])
	return err
}

// chunk reads the lines of a chunk and what the check found of them.
func (db *DB) chunk(ctx context.Context, k seal.Key, id erasure.BatchID, n int) (lines []erasure.Line, leads []byte, err error) {
	var sealed []byte
	err = db.reads.QueryRowContext(ctx, `SELECT sealed, leads FROM spooled WHERE batch = $1 AND n = $2`, id[:], n).Scan(&sealed, &leads)
	if err != nil {
		return nil, nil, fmt.Errorf("reading chunk %d of %s: %w", n, id, err)
	}
	b, err := k.Open(sealed, spoolAD("sealed", n))
	if err != nil {
		return nil, nil, fmt.Errorf("opening chunk %d of %s: %w", n, id, err)
	}
	return lines, leads, unpack(b, &lines)
}

// endBrokenSpools gives up the lists that were on their way when the server
// before this one ended.
func (db *DB) endBrokenSpools(ctx context.Context) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE spools SET stage = $1 WHERE stage = $2`, string(discarded), string(erasure.Receiving))
		return err
	})
}

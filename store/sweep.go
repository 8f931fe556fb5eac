package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// SweepEvery is how far sweeps are apart, by the store's time. It is many
// times [seal.KeyLife], so that a key that nothing named for so long was given
// up.
const SweepEvery = 24 * time.Hour

// LogRetention is for how long the log's content must be kept at least.
const LogRetention = 730 * 24 * time.Hour

// SweepOptions say for how long what a sweep takes is kept.
type SweepOptions struct {
	KeepCancelled time.Duration // the identifier and reason of a cancelled request; zero is [DefaultKeepCancelled]
	KeepLog       time.Duration // the log's content, [LogRetention] at least; zero is [DefaultKeepLog]
}

func (o *SweepOptions) fill() {
	if o.KeepCancelled == 0 {
		o.KeepCancelled = DefaultKeepCancelled
	}
	if o.KeepLog == 0 {
		o.KeepLog = DefaultKeepLog
	}
	o.KeepLog = max(o.KeepLog, LogRetention)
}

// bulkResultsLife is for how long it is kept what became of each line of a list.
const bulkResultsLife = LogRetention

// Swept says what a sweep took.
type Swept struct {
	Keys     int // destroyed because nothing named them
	Requests int // cancelled ones whose key was destroyed
	Entries  int // of the log, whose hashes stay
	Expired  int // suppressions, answers kept for repeats, and results of lists
	// Busy says that overwritten keys wait for an open reader of the keyring's
	// log. The sweep is not done then, and is to be called again soon.
	Busy bool
}

// sweepStep is how much of a sweep is done in one commit or one read.
const sweepStep = 1000

// ForgetExpired deletes what is over: sessions, links, finds and counts of
// failed sign-ins. The sweeper calls it; nothing depends on when.
func (db *DB) ForgetExpired(ctx context.Context) error {
	return db.write(ctx, func(t *tx) error {
		for _, over := range []struct {
			query string
			after time.Duration
		}{
			{`DELETE FROM sessions WHERE seen <= $1`, SessionIdle},
			{`DELETE FROM sessions WHERE created <= $1`, SessionLife},
			{`DELETE FROM links WHERE expires <= $1`, 0},
			{`DELETE FROM finds WHERE expires <= $1`, 0},
			{`DELETE FROM sign_in_failures WHERE last <= $1`, triesForget},
		} {
			if _, err := t.exec(over.query, t.hb.Store-over.after.Milliseconds()); err != nil {
				return fmt.Errorf("forgetting what is over: %w", err)
			}
		}
		return nil
	})
}

// SweepDue reports whether a day has passed since the last sweep was done.
func (db *DB) SweepDue(ctx context.Context) (bool, error) {
	_, hb := db.now()
	last, err := db.lastSweep(ctx)
	return err == nil && (!last.known || hb.Passed()-last.done >= SweepEvery.Milliseconds()), err
}

type lastSweep struct {
	known         bool
	done, highest int64
}

func (db *DB) lastSweep(ctx context.Context) (l lastSweep, err error) {
	err = db.reads.QueryRowContext(ctx, `SELECT done, highest FROM sweeps`).Scan(&l.done, &l.highest)
	if errors.Is(err, sql.ErrNoRows) {
		return l, nil
	}
	l.known = err == nil
	return l, err
}

// Sweep takes what time has made useless. Each part of it is safe to repeat,
// so one that is broken off is simply done again.
func (db *DB) Sweep(ctx context.Context, o SweepOptions) (s Swept, err error) {
	o.fill()
	for _, part := range []func(context.Context, SweepOptions, *Swept) error{
		db.sweepExpired, db.sweepLog, db.sweepCancelled, db.sweepCounts, db.sweepKeys, db.sweepWitness,
	} {
		if err := part(ctx, o, &s); err != nil || s.Busy {
			return s, err
		}
	}
	return s, nil
}

// sweepExpired deletes suppressions, kept answers and results of lists whose
// time has passed.
func (db *DB) sweepExpired(ctx context.Context, _ SweepOptions, s *Swept) error {
	for _, over := range []struct {
		query string
		step  int64 // rows in a commit
	}{
		{`DELETE FROM suppressions WHERE mac IN (SELECT mac FROM suppressions WHERE expires <= $1 LIMIT $2)`, sweepStep},
		{`DELETE FROM idempotency WHERE digest IN (SELECT digest FROM idempotency WHERE expires <= $1 LIMIT $2)`, sweepStep},
		{`DELETE FROM bulk_results WHERE (batch, n) IN (SELECT r.batch, r.n FROM spools s JOIN bulk_results r ON r.batch = s.batch
			WHERE s.stage = 'done' AND s.expires <= $1 LIMIT $2)`, 20}, // some hundred kilobytes each
		{`DELETE FROM spools WHERE batch IN (SELECT batch FROM spools WHERE stage = 'done' AND key_id IS NULL AND expires <= $1 LIMIT $2)`, sweepStep},
	} {
		for n := over.step; n == over.step; {
			err := db.write(ctx, func(t *tx) (err error) {
				n, err = t.exec(over.query, t.hb.Passed(), over.step)
				return err
			})
			if err != nil {
				return fmt.Errorf("deleting what has expired: %w", err)
			}
			s.Expired += int(n)
		}
	}
	return nil
}

// sweepLog drops the content of entries past their retention, oldest first.
// Their hashes stay, and so does the log's proof.
func (db *DB) sweepLog(ctx context.Context, o SweepOptions, s *Swept) error {
	for n := sweepStep; n == sweepStep; {
		err := db.write(ctx, func(t *tx) (err error) {
			n, err = t.dropEntries(o.KeepLog)
			return err
		})
		if err != nil {
			return fmt.Errorf("dropping the log's oldest content: %w", err)
		}
		s.Entries += n
	}
	return nil
}

func (t *tx) dropEntries(keep time.Duration) (n int, err error) {
	if err := t.writeHeartbeat(); err != nil { // the trigger that guards the log reads it
		return 0, err
	}
	var dropped []int64
	err = t.each(func(scan func(...any) error) error {
		var idx int64
		err := scan(&idx)
		dropped = append(dropped, idx)
		return err
	}, `DELETE FROM log_entries WHERE logged <= $1 AND idx IN (SELECT idx FROM log_entries ORDER BY idx LIMIT $2) RETURNING idx`,
		t.hb.Passed()-keep.Milliseconds()-1, sweepStep)
	if err != nil {
		return 0, err
	}
	for _, idx := range dropped {
		if _, err := t.exec(`DELETE FROM log_subjects WHERE idx = $1`, idx); err != nil {
			return 0, err
		}
	}
	return len(dropped), nil
}

// sweepCancelled destroys the keys of requests that were cancelled long ago,
// and with them the identifier asked for and the reason.
func (db *DB) sweepCancelled(ctx context.Context, o SweepOptions, s *Swept) error {
	for {
		old, err := db.longCancelled(ctx, o.KeepCancelled)
		if err != nil || len(old) == 0 {
			return err
		}
		var refs []seal.Ref
		for _, e := range old {
			refs = append(refs, e.refs...)
		}
		if err := db.destroy(ctx, refs, s); err != nil || s.Busy {
			return err
		}
		n, err := db.forgetAsked(ctx, old)
		if err != nil {
			return err
		}
		s.Requests += n
	}
}

func (db *DB) longCancelled(ctx context.Context, keep time.Duration) (old []erasing, err error) {
	_, hb := db.now()
	rows, err := db.reads.QueryContext(ctx, `SELECT id, key_row, key_id FROM requests
		WHERE state = 'cancelled' AND key_row IS NOT NULL AND finished <= $1 ORDER BY finished LIMIT $2`,
		hb.Passed()-keep.Milliseconds(), sweepStep)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var id erasure.RequestID
		var ref seal.Ref
		err := scan(scan16(&id), &ref.Row, scan16(&ref.ID))
		old = append(old, erasing{id: id, refs: []seal.Ref{ref}})
		return err
	})
	return old, err
}

func (db *DB) forgetAsked(ctx context.Context, old []erasing) (n int, err error) {
	err = db.write(ctx, func(t *tx) error {
		n = 0
		for _, e := range old {
			rows, err := t.exec(`UPDATE requests SET key_row = NULL, key_id = NULL, asked = NULL, reason = NULL
				WHERE id = $1 AND state = 'cancelled'`, e.id[:])
			if err != nil {
				return fmt.Errorf("forgetting what %s asked for: %w", e.id, err)
			}
			n += int(rows)
		}
		return nil
	})
	return n, err
}

// destroy destroys keys and looks whether an open reader still holds a copy.
func (db *DB) destroy(ctx context.Context, refs []seal.Ref, s *Swept) (err error) {
	var unknown *seal.UnknownKeys
	if err := db.keyring.Destroy(ctx, refs); err != nil && !errors.As(err, &unknown) {
		return fmt.Errorf("destroying keys: %w", err)
	}
	s.Busy, err = db.keyring.Truncate(ctx)
	return err
}

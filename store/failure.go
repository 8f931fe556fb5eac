package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/efface/efface/store/erasure"
)

// FailedTries is from how many failed tries on a request is shown as failed.
// It is still retried, for as long as it takes.
const FailedTries = 10

// NoteFailure records a failed try of the claimed request that the step
// takes first, and puts its next one off by a growing time. why is one
// sentence without personal data. It reports whether there was such a request.
func (db *DB) NoteFailure(ctx context.Context, step Step, why string) (noted bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		noted = false
		first, args := ` id`, []any{t.hb.Store, step == Deleting}
		if step == Deleting {
			first, args = fewestRows(3), append(args, t.passedOver())
		}
		r, err := scanRequest(t.row(`SELECT `+requestColumns+requestTables+` WHERE r.id IN (SELECT id FROM requests WHERE`+underway+`$1
			AND (keys_destroyed_at > 0) = $2 ORDER BY`+first+` LIMIT 1)`, args...).Scan, t.hb)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		noted = true
		return t.noteFailure(r, why)
	})
	return noted, err
}

// Step is a step of an erasure that can fail on its own.
type Step int

// The steps, in their order.
const (
	Destroying Step = iota // keys
	Deleting               // rows
)

func (t *tx) noteFailure(r request, why string) error {
	state := r.State
	if r.Attempts+1 >= FailedTries {
		state = erasure.Failed
	}
	return t.noteTry(r, state, why)
}

// noteHit shows a request as failed at once: what its check found is no
// hindrance that passes.
func (t *tx) noteHit(r request, what string) error {
	if err := t.noteTry(r, erasure.Failed, what); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO check_hits (request) SELECT id FROM requests WHERE id = $1 AND state = 'failed'
		ON CONFLICT (request) DO NOTHING`, r.ID[:])
	return err
}

func (t *tx) noteTry(r request, state erasure.State, why string) error {
	tries := r.Attempts + 1
	return t.each(func(scan func(...any) error) error {
		m, _, err := scanMove(scan, erasure.RequestFailed, r.State, state)
		m.destroyed = !r.KeysDestroyedAt.IsZero()
		if state != r.State {
			t.logMove(m)
		}
		return err
	}, `UPDATE requests SET attempts = $1, last_error = $2, retry = $3, state = $4
		WHERE (id = $5 OR joined = $5) AND state IN ('in_progress', 'failed') RETURNING `+moveColumns,
		tries, why, t.hb.Store+backoff(tries).Milliseconds(), string(state), r.ID[:])
}

// backoff doubles from a second up to ten minutes.
func backoff(tries int) time.Duration {
	return min(time.Second<<min(tries-1, 10), 10*time.Minute)
}

// NoteWaiting shows on the requests whose keys are overwritten that an open
// reader is still waited for.
func (db *DB) NoteWaiting(ctx context.Context) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE requests SET last_error = 'Key overwritten, waiting for an open reader.'
			WHERE state IN ('in_progress', 'failed') AND keys_destroyed_at = 0
				AND last_error <> 'Key overwritten, waiting for an open reader.'`)
		return err
	})
}

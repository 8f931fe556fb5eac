// Package jobs does what nobody waits for: it carries erasures out when their
// window has passed, and sweeps up what time has made useless.
package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/efface/efface/store"
)

// How much a step takes at once: claims and keys to a commit, and rows.
const (
	batch  = 500
	budget = 4000
)

// idle is how long the runner sleeps at most, so that a request that another
// program wrote is seen, and the store's time noted.
const idle = 10 * time.Second

// readerPatience is how long an open reader is waited for before pages say so.
const readerPatience = time.Minute

// Runner carries out erasures: it claims requests that are due, destroys
// their keys and deletes their rows. The requests' rows are its only queue,
// so that a crash loses nothing and what it left is taken up at the start.
type Runner struct {
	db   *store.DB
	log  *slog.Logger
	wake chan struct{}
}

// NewRunner makes a runner; Run starts it.
func NewRunner(db *store.DB, log *slog.Logger) *Runner {
	return &Runner{db: db, log: log, wake: make(chan struct{}, 1)}
}

// Wake tells the runner that something may be due sooner than it thinks. It
// never blocks.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. A step under way then is finished and recorded.
func (r *Runner) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-r.wake:
		}
		timer.Reset(r.round(ctx))
	}
}

// round does all that there is to do, and returns when to look again.
func (r *Runner) round(ctx context.Context) time.Duration {
	if err := r.db.Beat(ctx); err != nil {
		r.log.Error("the store's time was not noted", "error", err)
	}
	busy, err := r.Work(ctx)
	if err != nil {
		r.log.Error("erasures wait", "error", err)
		return time.Second
	}
	if busy {
		return 250 * time.Millisecond
	}
	if err := r.db.CheckpointDue(ctx); err != nil {
		r.log.Error("the log was not signed, which is tried again", "error", err)
	}
	w, err := r.db.Work(ctx)
	if err != nil {
		r.log.Error("reading what is due", "error", err)
		return time.Second
	}
	if w.Next < 0 {
		return idle
	}
	return min(w.Next+time.Millisecond, idle)
}

// Work carries out all that is due, and returns once nothing is left that can
// be done now. It reports busy where destroyed keys wait for an open reader.
func (r *Runner) Work(ctx context.Context) (busy bool, err error) {
	step := context.WithoutCancel(ctx) // what was done is recorded, also while stopping
	for ctx.Err() == nil {
		claimed, unclaimed := r.claim(step)
		destroyed, isBusy, err := r.destroy(step)
		if err != nil {
			return false, err
		}
		busy = isBusy
		more, err := r.delete(step)
		if err != nil {
			return false, err
		}
		if unclaimed != nil && !more {
			return busy, unclaimed
		}
		if claimed == 0 && destroyed == 0 && !more {
			return busy, nil
		}
	}
	return busy, nil
}

// claim claims a batch. Where that fails, it is tried with one request; what
// was claimed before is worked on all the same.
func (r *Runner) claim(ctx context.Context) (claimed int, err error) {
	claimed, err = r.db.ClaimDue(ctx, batch)
	if err != nil {
		r.log.Error("requests were not claimed, trying one at a time", "error", err)
		claimed, err = r.db.ClaimDue(ctx, 1)
	}
	return claimed, err
}

// failed notes a failed try. Where no request was to blame, the error is the
// caller's: it is the store's own, and a pause is due.
func (r *Runner) failed(ctx context.Context, step store.Step, why string, err error) error {
	noted, noteErr := r.db.NoteFailure(ctx, step, why)
	if noteErr != nil || !noted {
		return errors.Join(err, noteErr)
	}
	return nil
}

// destroy destroys the keys of a batch. Where that fails, it is tried with one
// request, so that one cannot hold up the others.
func (r *Runner) destroy(ctx context.Context) (done int, busy bool, err error) {
	done, busy, err = r.db.DestroyKeys(ctx, batch)
	if err != nil {
		r.log.Error("keys were not destroyed, trying one request at a time", "error", err)
		done, busy, err = r.db.DestroyKeys(ctx, 1)
	}
	if err != nil {
		r.log.Error("keys were not destroyed", "error", err)
		return 1, false, r.failed(ctx, store.Destroying, "Its keys could not be destroyed; the server's log says why.", err)
	}
	if r.db.Waiting(busy) >= readerPatience {
		err = r.db.NoteWaiting(ctx)
	}
	return done, busy, err
}

// delete deletes rows of many. Where that fails, it is tried with one request,
// so that one cannot hold up the others.
func (r *Runner) delete(ctx context.Context) (more bool, err error) {
	completed, more, err := r.db.DeleteRows(ctx, budget)
	if err != nil {
		r.log.Error("rows were not deleted, trying one request at a time", "error", err)
		completed, more, err = r.db.DeleteRows(ctx, store.OneRequest)
	}
	if err != nil {
		r.log.Error("rows were not deleted", "error", err)
		return true, r.failed(ctx, store.Deleting, "Its rows could not be deleted; the server's log says why.", err)
	}
	if completed > 0 {
		if _, err := r.db.Checkpoint(ctx); err != nil {
			r.log.Error("the log was not signed, which is tried again", "error", err)
		}
	}
	return more, nil
}

package jobs

import (
	"context"
	"log/slog"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// BulkRunner looks up the lists of people to be erased that staff sent, queues
// those that are confirmed, one list after the other, and destroys what has
// ended. The lists' rows are its only queue, as a [Runner]'s are the requests'.
type BulkRunner struct {
	db     *store.DB
	log    *slog.Logger
	queued func() // tells whom it concerns that there are new requests
	wake   chan struct{}
}

// NewBulkRunner makes a runner of lists; Run starts it.
func NewBulkRunner(db *store.DB, queued func(), log *slog.Logger) *BulkRunner {
	return &BulkRunner{db: db, log: log, queued: queued, wake: make(chan struct{}, 1)}
}

// Wake tells the runner that there is a list. It never blocks.
func (r *BulkRunner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. What is left of a list then is taken up at the next
// start, with what a crash left.
func (r *BulkRunner) Run(ctx context.Context) {
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
func (r *BulkRunner) round(ctx context.Context) time.Duration {
	done, err := r.Work(ctx)
	if ctx.Err() == nil && err != nil {
		r.log.Error("reading which lists are unfinished", "error", err)
	}
	busy, destroyErr := r.db.DestroySpools(ctx)
	if ctx.Err() == nil && destroyErr != nil {
		r.log.Error("lists that have ended are not destroyed", "error", destroyErr)
	}
	if err != nil || destroyErr != nil || busy || !done {
		return time.Second
	}
	return idle
}

// Work checks or queues each list that is unfinished. done is false where one
// of them failed, which holds up no other and is to be tried again.
func (r *BulkRunner) Work(ctx context.Context) (done bool, err error) {
	lists, err := r.db.UnfinishedBulks(ctx)
	if err != nil {
		return false, err
	}
	done = true
	for _, list := range lists {
		err := r.work(ctx, list)
		switch {
		case ctx.Err() != nil:
			return false, nil
		case err != nil && erasure.CodeOf(err) != erasure.CodeNotFound: // given up meanwhile
			r.log.Error("a list waits", "batch", list.ID, "stage", list.Stage, "error", err)
			done = false
		}
	}
	return done, nil
}

func (r *BulkRunner) work(ctx context.Context, list erasure.Bulk) error {
	if list.Stage == erasure.Checking {
		return r.db.CheckBulk(ctx, list.ID)
	}
	defer r.queued()
	return r.db.QueueBulk(ctx, list.ID)
}

package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// BulkRunner looks up the lists of people to be erased that staff sent, queues
// those that are confirmed, and destroys what has ended. Each is done one list
// after the other, and looking up beside the rest: a long list that nobody has
// confirmed yet is to hold up none that is. The lists' rows are its only queue,
// as a [Runner]'s are the requests'.
type BulkRunner struct {
	db     *store.DB
	log    *slog.Logger
	queued func() // tells whom it concerns that there are new requests
	wakes  map[erasure.Stage]chan struct{}
}

// NewBulkRunner makes a runner of lists; Run starts it.
func NewBulkRunner(db *store.DB, queued func(), log *slog.Logger) *BulkRunner {
	return &BulkRunner{db: db, log: log, queued: queued, wakes: map[erasure.Stage]chan struct{}{
		erasure.Checking: make(chan struct{}, 1), erasure.Queueing: make(chan struct{}, 1),
	}}
}

// Wake tells the runner that there is a list. It never blocks.
func (r *BulkRunner) Wake() {
	for _, wake := range r.wakes {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// Run works until ctx ends. What is left of a list then is taken up at the next
// start, with what a crash left.
func (r *BulkRunner) Run(ctx context.Context) {
	var both sync.WaitGroup
	for stage, wake := range r.wakes {
		both.Go(func() { r.run(ctx, stage, wake) })
	}
	both.Wait()
}

func (r *BulkRunner) run(ctx context.Context, stage erasure.Stage, wake <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	again := time.Second
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-wake:
		}
		if r.round(ctx, stage) {
			timer.Reset(idle)
			again = time.Second
		} else {
			timer.Reset(again)
			again = min(2*again, time.Minute) // a disk that is full fills the log too
		}
	}
}

// round does all that there is to do. done is false where some of it is to be
// tried again.
func (r *BulkRunner) round(ctx context.Context, stage erasure.Stage) (done bool) {
	done, err := r.Work(ctx, stage)
	if ctx.Err() == nil && err != nil {
		r.log.Error("reading which lists are unfinished", "error", err)
	}
	busy := stage == erasure.Queueing && r.destroyEnded(ctx)
	return err == nil && done && !busy
}

// destroyEnded destroys what is left of lists that have ended. It reports busy
// where that is to be tried again.
func (r *BulkRunner) destroyEnded(ctx context.Context) (busy bool) {
	busy, err := r.db.DestroySpools(ctx)
	if ctx.Err() == nil && err != nil {
		r.log.Error("lists that have ended are not destroyed", "error", err)
	}
	return busy || err != nil
}

// Work checks or queues each list that is at that stage. done is false where one
// of them failed, which holds up no other and is to be tried again.
func (r *BulkRunner) Work(ctx context.Context, stage erasure.Stage) (done bool, err error) {
	lists, err := r.db.UnfinishedBulks(ctx)
	if err != nil {
		return false, err
	}
	done = true
	for _, list := range lists {
		if list.Stage != stage {
			continue
		}
		err := r.work(ctx, list)
		switch {
		case ctx.Err() != nil:
			return false, nil
		case err != nil && erasure.CodeOf(err) != erasure.CodeNotFound: // given up meanwhile
			tries, noteErr := r.db.NoteBulkFailure(ctx, list.ID)
			r.log.Error("a list waits", "batch", list.ID, "stage", list.Stage, "failed", tries, "error", errors.Join(err, noteErr))
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

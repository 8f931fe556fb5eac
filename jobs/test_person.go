package jobs

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// A test person is erased within seconds; what an hour does not do is wrong.
const (
	testLook  = time.Hour
	testAgain = time.Second
	testLimit = time.Hour
)

// Search looks for values in every byte of every file of the store, and names
// the files that show one. It names no value.
type Search func(ctx context.Context, values []string) (files []string, err error)

// Tester makes up a person each day, has them erased, and then looks for them
// in every file. Whoever is not found then was erased as Efface promises.
type Tester struct {
	db     *store.DB
	wake   func() // of the runner
	search Search
	log    *slog.Logger
}

// NewTester makes a tester; Run starts it.
func NewTester(db *store.DB, wake func(), search Search, log *slog.Logger) *Tester {
	return &Tester{db, wake, search, log}
}

// Run works until ctx ends. A test that is broken off begins anew at the next
// start, with another person: the request of this one is carried out in any case.
func (t *Tester) Run(ctx context.Context) {
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if err := t.Test(ctx); err != nil && ctx.Err() == nil {
				t.log.Error("no person could be tested with, which is tried again", "error", err)
			}
			look.Reset(testLook)
		}
	}
}

// Test tests with a person if it is time to, and records what became of them.
func (t *Tester) Test(ctx context.Context) error {
	due, err := t.db.TestPersonDue(ctx)
	if err != nil || !due {
		return err
	}
	p, err := t.db.PlantTestPerson(ctx)
	if err != nil {
		return err
	}
	t.wake()
	why, err := t.outcome(ctx, p)
	if err != nil {
		return err
	}
	if why == "" {
		t.log.Info("a test person was erased, and found nowhere")
	} else {
		t.log.Error("a test person was not erased as promised", "why", why)
	}
	return t.db.NoteTestPerson(ctx, why)
}

// outcome says in a sentence how the test failed; "" where it did not.
func (t *Tester) outcome(ctx context.Context, p store.PlantedPerson) (why string, err error) {
	erased, err := t.erased(ctx, p.Request)
	if err != nil {
		return "", err
	}
	if !erased {
		return "They were not erased within an hour.", nil
	}
	files, err := t.search(ctx, p.Values)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		t.log.Error("the files were not searched for the test person", "error", err)
		return "The files could not be searched for them; the server's log says why.", nil
	case len(files) > 0:
		return "They are shown in " + strings.Join(files, ", ") + ".", nil
	}
	return "", nil
}

// erased waits until the request is completed; false where that takes too long.
func (t *Tester) erased(ctx context.Context, id erasure.RequestID) (bool, error) {
	limit, stop := context.WithTimeout(ctx, testLimit)
	defer stop()
	again := time.NewTicker(testAgain)
	defer again.Stop()
	for {
		r, err := t.db.Request(limit, id)
		switch {
		case err == nil && r.State == erasure.Completed:
			return true, nil
		case err != nil && limit.Err() == nil:
			return false, err
		}
		select {
		case <-again.C:
		case <-limit.Done():
			return false, ctx.Err()
		}
	}
}

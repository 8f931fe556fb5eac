package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/witness"
)

// comparison is what came of the last one of all of the witness with the store.
type comparison struct {
	at     time.Time
	misfit string // see [erasure.Witness]
}

func (w *witnessing) status() erasure.Witness {
	s := erasure.Witness{Lacks: max(0, w.logged.Load()-w.entries.Load()), Beside: w.beside}
	if c := w.compared.Load(); c != nil {
		s.Compared, s.Misfit = c.at, c.misfit
	}
	return s
}

// CompareDue reports whether the witness is to be compared before the next
// sweep does it: an opening compares what is new alone, and what did not fit may
// be mended.
func (db *DB) CompareDue() bool {
	c := db.witness.compared.Load()
	return db.witness.Witness != nil && (c == nil || c.misfit != "")
}

// CompareWitness takes from the witness suppressions that have expired or were
// lifted, and requests that another program wrote after they had ended, and
// compares all of its entries with the store's. [DB.Status] tells what came of
// it.
func (db *DB) CompareWitness(ctx context.Context) error {
	if db.witness.Witness == nil {
		return nil
	}
	un, err := db.compareRequests(ctx)
	if err == nil {
		err = db.witness.Update(func(u *witness.Update) error {
			return errors.Join(db.equalRequests(ctx, u, un), db.equalSuppressions(ctx, u))
		})
	}
	if err == nil {
		err = db.CheckWitness(ctx)
	} else {
		err = fmt.Errorf("%w: %w", ErrWitness, err)
	}
	if ctx.Err() == nil {
		db.witness.compared.Store(&comparison{db.options.Clock.Now().Wall, db.misfit(err)})
	}
	return err
}

// misfit says in a sentence what a comparison found.
func (db *DB) misfit(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*erasure.Error](db.witnessError(err)); ok {
		return e.Sentence
	}
	return "It could not be compared with the store; look into the server's log, which says why."
}

// sweepWitness is [DB.CompareWitness] as a part of the sweep.
func (db *DB) sweepWitness(ctx context.Context, _ SweepOptions, _ *Swept) error {
	return db.CompareWitness(ctx)
}

package store

import (
	"context"
	"fmt"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/witness"
)

// restore makes a store of what stands in the directory: first it reads, and
// whatever does not fit stops it; then it does again what happened since.
func (db *DB) restore(ctx context.Context) error {
	for _, step := range []func(context.Context) error{db.checkTree, db.readHistory, db.checkSigned, db.redoMerges, db.findKeys, db.destroyErased, db.redo, db.rebuildLookup} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if !db.restoring.WithoutWitness {
		if err := db.growWitness(ctx); err != nil {
			return db.restoreWitnessError(err)
		}
	}
	if err := db.write(ctx, (*tx).restored); err != nil {
		return err
	}
	return db.findUnnamed(ctx)
}

// growWitness writes to the witness what the store has and it lacks.
func (db *DB) growWitness(ctx context.Context) error {
	var size int64
	if err := db.reads.QueryRowContext(ctx, logSizeQuery).Scan(&size); err != nil {
		return err
	}
	return db.witness.Update(func(u *witness.Update) error { return db.bringUp(ctx, u, size) })
}

// redo does again, in one commit, what happened since the backup.
func (db *DB) redo(ctx context.Context) error {
	return db.write(ctx, func(t *tx) error {
		for _, part := range []struct {
			what string
			do   func() error
		}{
			{"requests", t.redoRequests},
			{"suppressions", t.redoSuppressions},
			{"accounts", t.redoAccounts},
			{"sources that can't be read", t.forgetLost},
			{"counts", t.recount},
			{"erasures", t.redoErasures},
			{"batches", t.redateBatches},
			{"windows", t.renewWindows},
		} {
			if err := part.do(); err != nil {
				return fmt.Errorf("restoring %s: %w", part.what, err)
			}
		}
		return nil
	})
}

// restored ends a restore: it is logged, and what was prepared is no backup any
// more.
func (t *tx) restored() error {
	if err := t.waitOnlyForStrangers(); err != nil {
		return err
	}
	r := t.db.restoring
	t.log(erasure.Entry{Kind: erasure.StoreRestored, Actor: erasure.Terminal, Counts: &erasure.Counts{Keys: r.Did.Keys}})
	if r.Did.Lost+r.Did.Unasked > 0 {
		t.log(erasure.Entry{Kind: erasure.LossAccepted, Actor: erasure.Terminal, Counts: &erasure.Counts{Keys: r.Did.Lost}})
	}
	if r.WithoutWitness {
		t.log(erasure.Entry{Kind: erasure.WitnessForgone, Actor: erasure.Terminal, Counts: &erasure.Counts{Keys: r.Did.Gone}})
	}
	kept := witnessKept
	if r.WithoutWitness { // whoever opens the store next begins one with it
		kept = witnessNone
	}
	madeAt := max(0, r.Did.MadeAt.UnixMilli()) // the zero time is before 1970
	_, err := t.exec(`UPDATE store SET backup = 0, witness = $1, backed_up = max(backed_up, $2)`, kept, madeAt)
	return err
}

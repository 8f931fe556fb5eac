package store

import (
	"context"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/witness"
)

// startWitness makes an empty witness where there is none. With
// [Options.NewWitness] the files of the one that is there are moved to a directory
// in it.
func (db *DB) startWitness(dir string) error {
	if db.options.NewWitness {
		moved, err := witness.MoveAway(dir, "old-"+db.options.Clock.Now().Wall.UTC().Format("20060102T150405Z"))
		if err != nil {
			return err
		}
		db.witness.old = moved
	}
	return witness.Make(dir, db.keyring.NewWrapped)
}

// OldWitness is where the files of the witness are that [Options.NewWitness]
// moved away; "" where there were none.
func (db *DB) OldWitness() string { return db.witness.old }

// witnessState is what the database knows of its witness.
type witnessState int

const (
	witnessNone witnessState = iota // it never had one, or is a backup
	witnessKept
	witnessLost // a new one takes its place, which is not logged yet
)

func (db *DB) setWitnessState(ctx context.Context, s witnessState) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE store SET witness = $1`, s)
		return err
	})
}

// keepsWitness notes that the store has a witness from now on, and logs where
// it stands in the place of one that was lost.
func (db *DB) keepsWitness(ctx context.Context, before witnessState) error {
	if before == witnessKept {
		return nil
	}
	return db.write(ctx, func(t *tx) error {
		if before == witnessLost {
			t.log(erasure.Entry{Kind: erasure.WitnessRebuilt, Actor: erasure.Terminal})
		}
		_, err := t.exec(`UPDATE store SET witness = $1`, witnessKept)
		return err
	})
}

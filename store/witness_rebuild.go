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

// keepsWitness notes that the store has a witness, and logs where it is a new one.
func (db *DB) keepsWitness(ctx context.Context) error {
	return db.write(ctx, func(t *tx) error {
		if db.options.NewWitness {
			t.log(erasure.Entry{Kind: erasure.WitnessRebuilt, Actor: erasure.Terminal})
		}
		_, err := t.exec(`UPDATE store SET witness = 1`)
		return err
	})
}

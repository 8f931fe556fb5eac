package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// Rotation is how far a change of the master key is.
type Rotation struct {
	Step RotationStep
	// Row is the last row of the keyring that is wrapped anew, of Rows.
	Row, Rows int64
}

// RotationStep is the last step of a change that is durable.
type RotationStep int

// The steps, in their order.
const (
	NextMasterMade   RotationStep = iota // it stands beside the one that is in force
	KeysWrapped                          // some of them
	WaitingForReader                     // another program reads the keyring
	OldBytesGone                         // no byte is wrapped by the former key
	RotationLogged
	MasterReplaced // and the former one is removed
)

// RotateMaster makes a new master key, wraps every key by it where it stands,
// and puts it in the place of the one that was, which it removes. The store is
// open alone. It may be killed at any instant: the store then opens with both
// keys, and RotateMaster goes on where it was. tell is told of each step.
func (db *DB) RotateMaster(ctx context.Context, actor erasure.Actor, tell func(Rotation)) error {
	path := db.options.MasterKey
	next, past, err := seal.MasterChanging(path)
	if err != nil {
		return err
	}
	if next || !past {
		if err := db.rewrap(ctx, actor, tell); err != nil {
			return err
		}
	}
	if err := seal.ReplaceMaster(path); err != nil {
		return err
	}
	tell(Rotation{Step: MasterReplaced})
	return nil
}

func (db *DB) rewrap(ctx context.Context, actor erasure.Actor, tell func(Rotation)) error {
	present, err := seal.LoadMaster(db.options.MasterKey)
	if err != nil {
		return err
	}
	if _, err := db.wrappedBefore(ctx, present); err != nil { // before anything is touched
		return err
	}
	m, err := seal.NextMaster(db.options.MasterKey)
	if err != nil {
		return err
	}
	rows, err := db.keyring.MaxRow(ctx)
	if err != nil {
		return err
	}
	tell(Rotation{Step: NextMasterMade, Rows: rows})
	if err := db.keyring.Rewrap(ctx, m, func(row int64) { tell(Rotation{KeysWrapped, row, rows}) }); err != nil {
		return err
	}
	if err := db.rewrapWitness(); err != nil {
		return fmt.Errorf("wrapping the witness's key anew: %w", err)
	}
	if err := truncateKeyring(ctx, db.keyring, func() { tell(Rotation{WaitingForReader, rows, rows}) }); err != nil {
		return err
	}
	left, err := db.wrappedBefore(ctx, m)
	if err == nil && left > 0 {
		err = fmt.Errorf("%d keys are wrapped by the former master key", left)
	}
	if err != nil {
		return err
	}
	tell(Rotation{OldBytesGone, rows, rows})
	if err := db.logRotation(ctx, actor, m); err != nil {
		return err
	}
	tell(Rotation{RotationLogged, rows, rows})
	return nil
}

func (db *DB) wrappedBefore(ctx context.Context, m seal.Master) (int, error) {
	n, err := db.keyring.WrappedBefore(ctx, m)
	if errors.Is(err, seal.ErrMaster) {
		return 0, errors.Join(erasure.Errorf(erasure.CodeConflict,
			"The keyring %s holds a key that the master key does not open, and nothing was changed; put a good copy of the keyring in its place.",
			db.options.Keyring), err)
	}
	return n, err
}

// truncateKeyring waits for as long as another program reads the keyring.
func truncateKeyring(ctx context.Context, k *seal.Keyring, waiting func()) error {
	again := time.NewTicker(truncateAgain)
	defer again.Stop()
	for {
		busy, err := k.Truncate(ctx)
		if err != nil || !busy {
			return err
		}
		waiting()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

const truncateAgain = time.Second

// logRotation logs the change unless that was done before it broke off.
func (db *DB) logRotation(ctx context.Context, actor erasure.Actor, m seal.Master) error {
	from, to := m.Versions()
	return db.write(ctx, func(t *tx) error {
		var last struct{ From, To string }
		var entry []byte
		err := t.row(`SELECT entry FROM log_entries WHERE kind = $1 ORDER BY idx DESC LIMIT 1`, string(erasure.MasterRotated)).Scan(&entry)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		} else if err == nil {
			err = json.Unmarshal(entry, &last)
		}
		if err != nil {
			return fmt.Errorf("reading the log: %w", err)
		}
		e := erasure.Entry{Kind: erasure.MasterRotated, Actor: actor, FromMaster: erasure.MasterVersion(from), ToMaster: erasure.MasterVersion(to)}
		if last.From != e.FromMaster.String() || last.To != e.ToMaster.String() {
			t.log(e)
		}
		return nil
	})
}

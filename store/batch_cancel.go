package store

import (
	"context"

	"github.com/efface/efface/store/erasure"
)

// cancelsAtOnce is how many requests of a batch are cancelled in one commit.
const cancelsAtOnce = 500

// CancelBatch ends those requests of a batch that may still be cancelled, and
// what they are joined with, and the queueing of the rest of its list. Its
// errors are [erasure.CodeNotFound], [erasure.CodeTooLate] where the window of
// all that are pending has passed, and [erasure.CodeNotPending] where none is.
func (db *DB) CancelBatch(ctx context.Context, id erasure.BatchID, actor erasure.Actor, origin erasure.Origin) (b erasure.Batch, err error) {
	return db.CancelBatchOnce(ctx, id, actor, origin, Once{})
}

// CancelBatchOnce is [DB.CancelBatch] for a call that was marked. It takes many
// commits, the first of which notes the mark: sent again, the call ends what is
// left and has no error.
func (db *DB) CancelBatchOnce(ctx context.Context, id erasure.BatchID, actor erasure.Actor, origin erasure.Origin, o Once) (b erasure.Batch, err error) {
	if b, err = db.Batch(ctx, id); err != nil {
		return b, err
	}
	c := batchCancel{db, id, actor, origin, o}
	done, err := c.stopQueueing(ctx)
	if err != nil {
		return b, err
	}
	refused := error(errNotPending)
	for after := (erasure.RequestID{}); ; {
		ids, err := db.pendingOf(ctx, id, after)
		if err != nil {
			return b, err
		}
		if len(ids) == 0 {
			break
		}
		cancelled, why, err := c.each(ctx, ids)
		if err != nil {
			return b, err
		}
		if why != nil {
			refused = why
		}
		done = done || cancelled > 0
		after = ids[len(ids)-1]
	}
	if !done {
		if err := db.write(ctx, func(t *tx) error { return c.note(t, refused) }); err != nil {
			return b, err
		}
	}
	return db.Batch(ctx, id)
}

// batchCancel is one call to cancel a batch.
type batchCancel struct {
	db     *DB
	id     erasure.BatchID
	actor  erasure.Actor
	origin erasure.Origin
	once   Once
}

// note notes the call's mark. unmade is returned where it was not noted before.
func (c batchCancel) note(t *tx, unmade error) error {
	_, _, err := onceID(t, c.actor, c.once, func() (erasure.BatchID, error) { return c.id, unmade })
	return err
}

// stopQueueing ends the queueing of a list whose batch is being cancelled.
func (c batchCancel) stopQueueing(ctx context.Context) (stopped bool, err error) {
	err = c.db.write(ctx, func(t *tx) error {
		if _, err := t.stands(c.actor, erasure.Admin, erasure.Staff); err != nil {
			return err
		}
		var err error
		if stopped, err = t.endQueueing(c.id); err != nil || !stopped {
			return err
		}
		return c.note(t, nil)
	})
	return stopped, err
}

// each cancels requests in one commit. Those that may not be cancelled any more
// stay as they are; why is the reason of the last of them.
func (c batchCancel) each(ctx context.Context, ids []erasure.RequestID) (cancelled int, why, err error) {
	err = c.db.write(ctx, func(t *tx) error {
		cancelled, why = 0, nil
		for _, id := range ids {
			_, err := t.cancel(id, c.actor, c.origin)
			switch {
			case err == nil:
				cancelled++
			case erasure.CodeOf(err) == erasure.CodeTooLate:
				why = err
			case erasure.CodeOf(err) != erasure.CodeNotPending: // which one joined with another is by now
				return err
			}
		}
		if cancelled == 0 {
			return nil
		}
		return c.note(t, nil)
	})
	return cancelled, why, err
}

const pendingOfBatchQuery = `SELECT id FROM requests WHERE batch = $1 AND state = 'pending' AND id > $2 ORDER BY id LIMIT $3`

func (db *DB) pendingOf(ctx context.Context, batch erasure.BatchID, after erasure.RequestID) (ids []erasure.RequestID, err error) {
	rows, err := db.reads.QueryContext(ctx, pendingOfBatchQuery, batch[:], after[:], cancelsAtOnce)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var id erasure.RequestID
		err := scan(scan16(&id))
		ids = append(ids, id)
		return err
	})
	return ids, err
}

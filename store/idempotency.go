package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/efface/efface/store/erasure"
)

// OnceLife is for how long a repeated call is known, by the store's time.
const OnceLife = 90 * 24 * time.Hour

// Once marks a call that its client may send again, having missed the answer.
// Its zero value marks none. Only keyed digests of both are kept, for either
// may be an e-mail address.
type Once struct {
	Key  string // the Idempotency-Key; each API key has its own
	Call []byte // what was asked for, in one form for one meaning
}

// RequestErasureOnce is [DB.RequestErasure] for a call that was marked: sent
// again it returns the request as it stands by now, and created is false. The
// same key with another call is an [erasure.CodeKeyReused]. A call that was
// refused is forgotten and may be tried again.
func (db *DB) RequestErasureOnce(ctx context.Context, n erasure.NewRequest, o Once) (r erasure.Request, created bool, err error) {
	asked, err := db.checkNew(ctx, n)
	if err != nil {
		return r, false, err
	}
	err = db.write(ctx, func(t *tx) error {
		created = false
		row, err := t.once(n.Actor, o, func() (row request, err error) {
			row, created, err = t.requestErasure(n, asked)
			return row, err
		})
		r = row.Request
		return err
	})
	return r, created, err
}

// CancelOnce is [DB.Cancel] for a call that was marked; see
// [DB.RequestErasureOnce].
func (db *DB) CancelOnce(ctx context.Context, id erasure.RequestID, actor erasure.Actor, origin erasure.Origin, o Once) (r erasure.Request, err error) {
	err = db.write(ctx, func(t *tx) error {
		row, err := t.once(actor, o, func() (request, error) { return t.cancel(id, actor, origin) })
		r = row.Request
		return err
	})
	return r, err
}

// once does what a call asks for unless it was done before, and notes that it
// was done in the same commit.
func (t *tx) once(actor erasure.Actor, o Once, do func() (request, error)) (r request, err error) {
	id, repeated, err := onceID(t, actor, o, func() (erasure.RequestID, error) {
		r, err = do()
		return r.ID, err
	})
	if err == nil && repeated {
		return t.request(id)
	}
	return r, err
}

// onceID is once for what has an id, of a request or of a batch. A call that
// was made before led to an id of the same kind, for its route is part of it.
func onceID[ID ~[16]byte](t *tx, actor erasure.Actor, o Once, do func() (ID, error)) (id ID, repeated bool, err error) {
	if o.Key == "" {
		id, err = do()
		return id, false, err
	}
	key := t.db.digest("idempotency key", []byte(actor.String()), []byte(o.Key))
	call := t.db.digest("idempotent call", []byte(actor.String()), o.Call)
	before, err := t.doneBefore(key, call)
	if err != nil {
		return id, false, err
	}
	if before != nil {
		return ID(*before), true, nil
	}
	if id, err = do(); err != nil {
		return id, false, err
	}
	_, err = t.exec(`INSERT INTO idempotency (digest, body, request, expires) VALUES ($1, $2, $3, $4)
		ON CONFLICT (digest) DO UPDATE SET body = excluded.body, request = excluded.request, expires = excluded.expires`,
		key[:], call[:], null16(&id), t.hb.Store+OnceLife.Milliseconds())
	if err != nil {
		return id, false, fmt.Errorf("noting a call: %w", err)
	}
	return id, false, nil
}

// doneBefore returns the id that a call led to, or nil where it is new.
func (t *tx) doneBefore(key, call [16]byte) (*[16]byte, error) {
	var was, id [16]byte
	err := t.row(`SELECT body, request FROM idempotency WHERE digest = $1 AND expires > $2`, key[:], t.hb.Store).
		Scan(scan16(&was), scan16(&id))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading a call: %w", err)
	case was != call:
		return nil, erasure.Errorf(erasure.CodeKeyReused, "Send a new Idempotency-Key: this one came with another call.")
	}
	return &id, nil
}

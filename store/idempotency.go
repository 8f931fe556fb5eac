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
func (t *tx) once(actor erasure.Actor, o Once, do func() (request, error)) (request, error) {
	if o.Key == "" {
		return do()
	}
	key := t.db.digest("idempotency key", []byte(actor.String()), []byte(o.Key))
	call := t.db.digest("idempotent call", []byte(actor.String()), o.Call)
	id, err := t.doneBefore(key, call)
	if err != nil {
		return request{}, err
	}
	if id != nil {
		return t.request(*id)
	}
	r, err := do()
	if err != nil {
		return r, err
	}
	_, err = t.exec(`INSERT INTO idempotency (digest, body, request, expires) VALUES ($1, $2, $3, $4)
		ON CONFLICT (digest) DO UPDATE SET body = excluded.body, request = excluded.request, expires = excluded.expires`,
		key[:], call[:], r.ID[:], t.hb.Store+OnceLife.Milliseconds())
	if err != nil {
		return r, fmt.Errorf("noting a call: %w", err)
	}
	return r, nil
}

// doneBefore returns the request that a call led to, or nil where it is new.
func (t *tx) doneBefore(key, call [16]byte) (*erasure.RequestID, error) {
	var was [16]byte
	var id erasure.RequestID
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

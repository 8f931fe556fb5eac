package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

var (
	errTooLate    = erasure.Errorf(erasure.CodeTooLate, "The cancel window of this request has passed, so it can no longer be cancelled.")
	errNotPending = erasure.Errorf(erasure.CodeNotPending, "Nothing is pending to cancel.")
)

// Cancel ends a pending request inside its window, and with it the ones it is
// joined with. Its errors are [erasure.CodeNotFound], [erasure.CodeTooLate]
// and, for a request that has ended already, [erasure.CodeNotPending].
func (db *DB) Cancel(ctx context.Context, id erasure.RequestID, actor erasure.Actor, origin erasure.Origin) (r erasure.Request, err error) {
	return db.CancelOnce(ctx, id, actor, origin, Once{})
}

// CancelByIdentifier cancels the request that an identifier leads to: that of
// a live profile, else of one being erased, else a waiting one. By User ID
// also one that has ended is found. Its errors are those of [DB.Cancel];
// [erasure.CodeShared] where it leads to several profiles, and
// [erasure.CodeNotPending] where it leads to no request.
func (db *DB) CancelByIdentifier(ctx context.Context, id erasure.Identifier, actor erasure.Actor, origin erasure.Origin) (r erasure.Request, err error) {
	asked, err := db.normalised(ctx, id)
	if err != nil {
		return r, err
	}
	err = db.write(ctx, func(t *tx) error {
		open, err := t.requestOf(asked)
		if errors.Is(err, sql.ErrNoRows) {
			return errNotPending
		}
		if err != nil {
			return err
		}
		row, err := t.cancel(open.ID, actor, origin)
		r = row.Request
		return err
	})
	return r, err
}

// requestOf finds the request that a cancel by identifier is for.
func (t *tx) requestOf(asked identifier) (request, error) {
	asked, err := t.numbered(asked)
	if err != nil {
		return request{}, err
	}
	found, err := t.lookup(asked, 2)
	if err != nil {
		return request{}, err
	}
	if len(found) > 1 {
		matches, err := t.countMatches(asked)
		if err != nil {
			return request{}, err
		}
		e := erasure.Errorf(erasure.CodeShared, "This identifier leads to %d profiles; cancel by the User ID of one of them.", matches)
		e.Matches = matches
		return request{}, e
	}
	if len(found) == 1 {
		return t.openRequest(found[0])
	}
	r, err := t.erasing(asked)
	if !errors.Is(err, sql.ErrNoRows) {
		return r, err
	}
	if asked.key == effaceIDKey {
		return scanRequest(t.row(`SELECT `+requestColumns+requestTables+`
			WHERE r.efface_id = $1 AND r.table_ = $2 ORDER BY r.id DESC LIMIT 1`, uuidBytes(asked.value), string(asked.table)).Scan, t.hb)
	}
	return t.waitingRequest(asked)
}

func uuidBytes(s string) []byte {
	id, err := uuid.Parse(s)
	if err != nil {
		return nil
	}
	return id[:]
}

// cancel is one conditional UPDATE: between a claim and a cancel the state
// decides, and nothing that was read before.
func (t *tx) cancel(id erasure.RequestID, actor erasure.Actor, origin erasure.Origin) (request, error) {
	if _, err := t.stands(actor, erasure.Admin, erasure.Staff); err != nil {
		return request{}, err
	}
	asked, err := t.request(id)
	if err != nil {
		return asked, err
	}
	root := id
	if asked.Joined != nil {
		root = *asked.Joined
	}
	cancelled := false
	err = t.each(func(scan func(...any) error) error {
		cancelled = true
		var id erasure.RequestID
		var table string
		entry := erasure.Entry{Kind: erasure.RequestCancelled, Request: &id, From: erasure.Pending, To: erasure.Cancelled,
			Origin: origin, Actor: actor}
		err := scan(scan16(&id), scanNull16(&entry.Batch), &table, &entry.Reference)
		t.logMove(move{entry: entry, table: erasure.Table(table)})
		return err
	}, `UPDATE requests SET state = 'cancelled', finished_at = $1, finished = $2, waiting = NULL
		WHERE (id = $3 OR joined = $3) AND state = 'pending' AND due > $4 RETURNING id, batch, table_, reference`,
		t.now.UnixMilli(), t.hb.Store, root[:], t.hb.Passed())
	if err != nil {
		return asked, err
	}
	if !cancelled {
		return asked, refuseCancel(asked)
	}
	if asked.profile.Valid {
		if err := t.retryMerges(asked.profile.Int64); err != nil {
			return asked, err
		}
	}
	return t.request(id)
}

func refuseCancel(r request) error {
	if r.State == erasure.Cancelled {
		return erasure.Errorf(erasure.CodeNotPending, "This request was cancelled before.")
	}
	return errTooLate
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// RequestErasure asks for one profile's erasure. A second request for a
// profile returns the first, and created is false. Its errors are
// [erasure.CodeNotFound] and [erasure.CodeShared] for an identifier that
// leads to no profile or to several, [erasure.CodeConflict] for a User ID
// that a merge has made a former one, and [erasure.CodeInvalid].
func (db *DB) RequestErasure(ctx context.Context, n erasure.NewRequest) (r erasure.Request, created bool, err error) {
	return db.RequestErasureOnce(ctx, n, Once{})
}

// checkNew refuses a request that cannot be one, and prepares the identifier
// asked for.
func (db *DB) checkNew(ctx context.Context, n erasure.NewRequest) (asked identifier, err error) {
	if err := checkWords(n.Reason, n.Reference); err != nil {
		return asked, err
	}
	if n.EffaceID != nil {
		return asked, nil
	}
	return db.normalised(ctx, n.Asked)
}

func (t *tx) requestErasure(n erasure.NewRequest, asked identifier) (request, bool, error) {
	by, err := t.stands(n.Actor, erasure.Admin, erasure.Staff)
	if err != nil {
		return request{}, false, err
	}
	return t.requestOne(n, asked, by)
}

// requestOne asks for the one profile that a request is for. The actor's right
// was checked before.
func (t *tx) requestOne(n erasure.NewRequest, asked identifier, by string) (request, bool, error) {
	asked, err := t.numbered(asked)
	if err != nil {
		return request{}, false, err
	}
	p, err := t.target(n, asked)
	if erasure.CodeOf(err) == erasure.CodeNotFound && n.EffaceID == nil {
		return t.requestUnknown(n, asked, by, err)
	}
	if err != nil {
		return request{}, false, err
	}
	if n.EffaceID != nil {
		asked = identifier{key: effaceIDKey, value: p.efface.String()}
	}
	return t.requestTarget(n, asked, p, by)
}

// requestTarget returns the open request of a profile, or makes one.
func (t *tx) requestTarget(n erasure.NewRequest, asked identifier, p target, by string) (request, bool, error) {
	if p.open != nil {
		r, err := t.request(*p.open)
		if err == nil {
			r, err = t.askedAgain(r, n)
		}
		return r, false, err
	}
	if n.Seen != nil {
		if err := t.seenAll(p.profile, *n.Seen); err != nil {
			return request{}, false, err
		}
	}
	r, err := t.newRequest(n, asked, p, by)
	return r, err == nil, err
}

// requestUnknown takes a request for an identifier that no live profile has:
// it is that of the profile being erased, or waits for one to appear.
func (t *tx) requestUnknown(n erasure.NewRequest, asked identifier, by string, notFound error) (request, bool, error) {
	if r, err := t.erasing(asked); !errors.Is(err, sql.ErrNoRows) {
		return r, false, err
	}
	if !n.Unknown {
		return request{}, false, notFound
	}
	if r, err := t.waitingRequest(asked); err == nil {
		r, err = t.askedAgain(r, n)
		return r, false, err
	} else if !errors.Is(err, sql.ErrNoRows) {
		return r, false, err
	}
	r, err := t.newRequest(n, asked, target{profile: profile{table: asked.table}}, by)
	return r, err == nil, err
}

// askedAgain lets an open request suppress what it erases where that is asked
// for by now, until its claim, which does it. Who asked without suppression
// takes nothing away.
func (t *tx) askedAgain(r request, n erasure.NewRequest) (request, error) {
	if !n.Suppress || r.Suppress || r.State != erasure.Pending {
		return r, nil
	}
	k, err := t.key(*r.key)
	if err != nil {
		return r, err
	}
	if _, err := t.exec(`UPDATE requests SET suppress = $1 WHERE id = $2`, true, r.ID[:]); err != nil {
		return r, err
	}
	t.logAbout(erasure.Entry{Kind: erasure.SuppressionAdded, Request: &r.ID, Batch: r.Batch, Origin: n.Origin, Reference: r.Reference, Actor: n.Actor}, subjectOf(r), k)
	r.Suppress = true
	return r, nil
}

// newRequest writes a pending request. p is the zero profile but for its table
// where nobody is known yet; by is who asks, for people.
func (t *tx) newRequest(n erasure.NewRequest, asked identifier, p target, by string) (r request, err error) {
	k, err := t.newKey()
	if err != nil {
		return r, err
	}
	r = t.pendingRequest(n, asked, p, k)
	r.RequestedBy = by
	return r, t.insertRequests([]request{r})
}

// errTaken says that requests were not written, for there is another open one
// of the same profile.
var errTaken = errors.New("another request of the profile is open")

// pendingRequest is a new request, and logs it. It is what a read of its row
// would give, put together here: RETURNING makes SQLite open a table in memory
// for each request.
func (t *tx) pendingRequest(n erasure.NewRequest, asked identifier, p target, k seal.Key) request {
	window := t.db.options.CancelWindow
	r := request{key: &k.Ref, due: t.hb.Store + window.Milliseconds(), Request: erasure.Request{
		ID: erasure.NewRequestID(t.now), Batch: n.Batch, Table: p.table, State: erasure.Pending, Origin: n.Origin, Actor: n.Actor,
		Reference: n.Reference, Suppress: n.Suppress, Identifiers: p.held.Identifiers, Records: p.held.Records,
		RequestedAt: millis(t.now.UnixMilli()), CancelBefore: millis(t.now.Add(window).UnixMilli()),
	}}
	r.reckon(t.hb)
	subject := string(joinAsked(asked))
	if p.id != 0 {
		r.profile, r.EffaceID, subject = sql.NullInt64{Int64: p.id, Valid: true}, &p.efface, p.efface.String()
	} else {
		mac := fingerprint(t.db.secrets.waiting, asked.table, asked.key, asked.value)
		r.waiting = mac[:]
	}
	r.asked = k.Seal(joinAsked(asked), askedAD())
	if n.Reason != "" {
		r.reason = k.Seal([]byte(n.Reason), seal.AD{Table: "requests", Column: "reason"})
	}
	t.logMoveAbout(move{table: r.Table, entry: erasure.Entry{Kind: erasure.RequestCreated, Request: &r.ID, Batch: n.Batch, To: erasure.Pending,
		Origin: n.Origin, Reference: n.Reference, Actor: n.Actor, Counts: &p.held}}, subject, k)
	open := newAskedFor(r)
	open.Key, open.Value, open.Reason = asked.key, asked.value, n.Reason
	t.entries[len(t.entries)-1].asked = &open
	return r
}

// requestsAtOnce is how many requests one statement inserts.
const requestsAtOnce = 32

func (t *tx) insertRequests(all []request) error {
	for rs := range slices.Chunk(all, requestsAtOnce) {
		values := make([]any, 0, 21*len(rs))
		for i := range rs {
			r := &rs[i]
			values = append(values, r.ID[:], null16(r.Batch), string(r.Table), r.profile, null16(r.EffaceID), r.waiting, string(r.State),
				string(r.Origin), string(r.Actor.Kind), r.Actor.ID[:], r.Reference, r.Suppress, r.RequestedAt.UnixMilli(),
				r.CancelBefore.UnixMilli(), r.due, r.Identifiers, r.Records, r.key.Row, r.key.ID[:], r.asked, r.reason)
		}
		query := insertRequest
		if len(rs) > 1 {
			query = insertRequestsQuery(len(rs))
		}
		if n, err := t.exec(query, values...); err != nil {
			return fmt.Errorf("writing %d requests: %w", len(rs), err)
		} else if n < int64(len(rs)) {
			return errTaken
		}
	}
	return nil
}

var insertRequest = insertRequestsQuery(1)

func insertRequestsQuery(n int) string {
	return `INSERT INTO requests (id, batch, table_, profile, efface_id, waiting, state, origin, actor_kind, actor_id,
		reference, suppress, requested_at, cancel_before, due, identifiers, records, key_row, key_id, asked, reason) VALUES ` + tuples(n, 21) + ` ON CONFLICT DO NOTHING`
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/efface/efface/store/erasure"
)

// BatchLimit is how many identifiers [DB.RequestBatch] takes, and how many
// profiles a call asks for. They are queued in one commit, in which nobody else
// can write.
const BatchLimit = 10_000

// RequestBatch asks for everyone that the identifiers lead to, all in one
// commit. An identifier that leads to nobody, or to more profiles than are left
// of [BatchLimit], or cannot be one, spoils nothing: its result says so.
func (db *DB) RequestBatch(ctx context.Context, n erasure.NewBatch) (b erasure.Batch, results []erasure.BatchResult, err error) {
	if len(n.Asked) > BatchLimit {
		return b, nil, erasure.Errorf(erasure.CodeInvalid, "Ask for 10,000 identifiers at most in one call.")
	}
	each := erasure.NewRequest{Unknown: n.Unknown, Origin: n.Origin, Actor: n.Actor, Reason: n.Reason, Reference: n.Reference, Suppress: n.Suppress}
	asked := make([]identifier, len(n.Asked))
	refused := make([]error, len(n.Asked))
	for i, id := range n.Asked {
		each.Asked = id
		if asked[i], refused[i] = db.checkNew(ctx, each); refused[i] != nil && erasure.CodeOf(refused[i]) != erasure.CodeInvalid {
			return b, nil, refused[i]
		}
	}
	var id erasure.BatchID
	var kept bool
	err = db.write(ctx, func(t *tx) error {
		id = erasure.NewBatchID(t.now)
		each.Batch = &id
		results = make([]erasure.BatchResult, len(asked))
		by, err := t.stands(n.Actor, erasure.Admin, erasure.Staff)
		if err != nil {
			return err
		}
		c := batchCall{t, each, n.EveryMatch, by, BatchLimit, map[erasure.Identifier]erasure.BatchResult{}}
		matched, queued := 0, false
		for i := range asked {
			err := refused[i]
			if err == nil {
				results[i], err = c.request(asked[i])
			}
			if results[i], err = refusedAs(results[i], err); err != nil {
				return fmt.Errorf("identifier %d: %w", i+1, err)
			}
			if results[i].Matches > 0 {
				matched++
			}
			queued = queued || results[i].Outcome == erasure.Queued
		}
		if kept = queued || !n.Unnamed; !kept {
			return nil
		}
		return t.insertBatch(id, n, matched)
	})
	if err != nil || !kept {
		return b, results, err
	}
	b, err = db.Batch(context.WithoutCancel(ctx), id) // it is queued, whether or not the client is still there
	return b, results, err
}

// refusedAs turns an error about one identifier into its result.
func refusedAs(r erasure.BatchResult, err error) (erasure.BatchResult, error) {
	e, ok := errors.AsType[*erasure.Error](err)
	if !ok {
		return r, err
	}
	r = erasure.BatchResult{Detail: e.Sentence, Matches: e.Matches}
	switch e.Code {
	case erasure.CodeNotFound:
		r.Outcome = erasure.NotFound
	case erasure.CodeShared:
		r.Outcome = erasure.Shared
	case erasure.CodeInvalid:
		r.Outcome = erasure.Refused
	default:
		return r, err
	}
	return r, nil
}

// batchCall is a call that asks for many.
type batchCall struct {
	*tx
	each   erasure.NewRequest
	every  bool
	by     string
	left   int                                        // profiles that it may still ask for
	before map[erasure.Identifier]erasure.BatchResult // by normalised value
}

// request asks for whom an identifier leads to, unless the call did before.
func (c *batchCall) request(asked identifier) (r erasure.BatchResult, err error) {
	said := erasure.Identifier{Table: asked.table, Key: asked.key, Value: asked.value}
	if r, again := c.before[said]; again {
		if r.Outcome == erasure.Queued {
			r.Outcome = erasure.AlreadyRequested
		}
		return r, nil
	}
	if r, err = refusedAs(c.requestMatches(asked)); err == nil {
		c.before[said] = r
	}
	return r, err
}

// requestMatches asks for the profile that an identifier leads to, or for
// every one of them.
func (c *batchCall) requestMatches(asked identifier) (erasure.BatchResult, error) {
	if !c.every {
		r, created, err := c.requestOne(c.each, asked, c.by)
		return one(r, created), err
	}
	asked, found, err := c.matches(asked, c.left)
	if err != nil {
		return erasure.BatchResult{}, err
	}
	c.left -= len(found)
	if len(found) == 0 {
		r, created, err := c.requestUnknown(c.each, asked, c.by, ErrNobody)
		return one(r, created), err
	}
	rs, made, err := c.requestEach(c.each, asked, found, c.by)
	all := erasure.BatchResult{Outcome: outcome(len(made) > 0), Matches: len(found)}
	for _, r := range rs {
		all.Requests = append(all.Requests, r.ID)
	}
	return all, err
}

// matches looks up every profile that an identifier leads to. Where those are
// over limit, the error tells of one more and not of all of them.
func (t *tx) matches(asked identifier, limit int) (identifier, []profile, error) {
	asked, err := t.numbered(asked)
	if err != nil {
		return asked, nil, err
	}
	found, err := t.lookup(asked, limit+1)
	if err != nil || len(found) <= limit {
		return asked, found, err
	}
	e := erasure.Errorf(erasure.CodeShared, "This identifier leads to more profiles than one call asks for, which is 10,000; "+
		"send it in a call of its own or, if it was, ask for them by their User IDs.")
	e.Matches = len(found)
	return asked, nil, e
}

// requestEach asks for each of the profiles that an identifier leads to, and
// returns their open requests and which of those it made.
func (t *tx) requestEach(n erasure.NewRequest, asked identifier, found []profile, by string) (rs, made []erasure.Request, err error) {
	for _, p := range found {
		to, err := t.targetByUserID(p.efface)
		if err != nil {
			return nil, nil, err
		}
		r, created, err := t.requestTarget(n, asked, to, by)
		if err != nil {
			return nil, nil, err
		}
		rs = append(rs, r.Request)
		if created {
			made = append(made, r.Request)
		}
	}
	return rs, made, nil
}

func outcome(made bool) erasure.BatchOutcome {
	if made {
		return erasure.Queued
	}
	return erasure.AlreadyRequested
}

// one is the result of an identifier that leads to one profile or to none.
func one(r request, created bool) erasure.BatchResult {
	result := erasure.BatchResult{Outcome: outcome(created), Requests: []erasure.RequestID{r.ID}}
	if r.EffaceID != nil {
		result.Matches = 1
	}
	return result
}

func (t *tx) insertBatch(id erasure.BatchID, n erasure.NewBatch, matched int) error {
	_, err := t.exec(`INSERT INTO batches (id, origin, actor_kind, actor_id, reference, requested_at, requested, matched)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, id[:], string(n.Origin), string(n.Actor.Kind), n.Actor.ID[:], n.Reference,
		t.now.UnixMilli(), len(n.Asked), matched)
	if err != nil {
		return fmt.Errorf("writing the batch: %w", err)
	}
	return nil
}

// RequestMatches asks for every profile that an identifier leads to. Where
// those are several, their requests make a batch. Its errors are
// [erasure.CodeNotFound] where nobody has it, [erasure.CodeShared] where over
// [BatchLimit] have it, and [erasure.CodeConflict] where all of them were asked
// for before.
func (db *DB) RequestMatches(ctx context.Context, n erasure.NewRequest) (rs []erasure.Request, b *erasure.BatchID, err error) {
	asked, err := db.checkNew(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	err = db.write(ctx, func(t *tx) error {
		rs, b, n.Batch = nil, nil, nil
		by, err := t.stands(n.Actor, erasure.Admin, erasure.Staff)
		if err != nil {
			return err
		}
		asked, found, err := t.matches(asked, BatchLimit)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return ErrNobody
		}
		if len(found) > 1 {
			id := erasure.NewBatchID(t.now)
			b, n.Batch = &id, &id
		}
		if _, rs, err = t.requestEach(n, asked, found, by); err != nil {
			return err
		}
		if len(rs) == 0 {
			return ErrAsked
		}
		if b == nil {
			return nil
		}
		return t.insertBatch(*b, erasure.NewBatch{Asked: []erasure.Identifier{n.Asked}, Origin: n.Origin, Actor: n.Actor, Reference: n.Reference}, 1)
	})
	return rs, b, err
}

// ErrNoBatch is what reading or cancelling a batch gives where there is none.
var ErrNoBatch = erasure.Errorf(erasure.CodeNotFound, "There is no batch with this id.")

const batchColumns = `b.id, b.origin, b.actor_kind, b.actor_id,
	COALESCE((SELECT o.email FROM operators o WHERE b.actor_kind = 'operator' AND o.id = b.actor_id),
		(SELECT 'key:' || k.name FROM api_keys k WHERE b.actor_kind = 'key' AND k.id = b.actor_id), b.actor_kind),
	b.reference, b.requested_at, b.requested, b.matched`

// Batch reads a batch with the counts of its requests as they stand.
func (db *DB) Batch(ctx context.Context, id erasure.BatchID) (b erasure.Batch, err error) {
	var origin, actor string
	err = db.reads.QueryRowContext(ctx, `SELECT `+batchColumns+` FROM batches b WHERE b.id = $1`, id[:]).
		Scan(scan16(&b.ID), &origin, &actor, scan16(&b.Actor.ID), &b.RequestedBy, &b.Reference, scanTime(&b.RequestedAt), &b.Requested, &b.Matched)
	if errors.Is(err, sql.ErrNoRows) {
		return b, ErrNoBatch
	}
	if err != nil {
		return b, err
	}
	b.Origin, b.Actor.Kind = erasure.Origin(origin), erasure.ActorKind(actor)
	b.In, b.UpdatedAt = map[erasure.State]int{}, b.RequestedAt
	rows, err := db.reads.QueryContext(ctx, batchCountsQuery, id[:])
	if err != nil {
		return b, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var state string
		var n int
		var last time.Time
		err := scan(&state, &n, scanTime(&last))
		b.In[erasure.State(state)] = n
		if last.After(b.UpdatedAt) {
			b.UpdatedAt = last
		}
		return err
	})
	if err != nil || b.Origin != erasure.CleverTap || b.In[erasure.Completed] == 0 {
		return b, err // no other batch asks for whom nobody knows
	}
	err = db.reads.QueryRowContext(ctx, batchNobodyQuery, id[:]).Scan(&b.Nobody)
	return b, err
}

const batchNobodyQuery = `SELECT COUNT(*) FROM requests WHERE batch = $1 AND state = 'completed' AND efface_id IS NULL`

const batchCountsQuery = `SELECT state, requests, finished_at FROM batch_counts WHERE batch = $1`

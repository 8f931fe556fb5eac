package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// QueueBulk makes the requests of a confirmed list, some thousand lines to a
// commit, and returns once all of its lines are done. Several may work at one
// list. A list that was checked asks for those profiles alone that the check
// found.
func (db *DB) QueueBulk(ctx context.Context, id erasure.BatchID) error {
	b, err := db.readBulk(ctx, id)
	if err != nil {
		return err
	}
	db.queueing.Store(id, true)
	defer db.queueing.Delete(id)
	if b.Stage == erasure.Queueing {
		if err := db.queueChunks(ctx, b); err != nil {
			if b, again := db.readBulk(ctx, id); again != nil || b.Stage != erasure.Done {
				return err
			} // else another has ended it meanwhile, and its lines are gone
		}
	}
	_, err = db.destroySpool(ctx, id) // where that is busy, DestroySpools goes on
	return err
}

func (db *DB) queueChunks(ctx context.Context, b bulk) error {
	each, err := db.eachOf(ctx, b)
	if err != nil {
		return err
	}
	for n := b.next; n < b.chunks; n++ {
		going := false
		err := db.inTurn(ctx, func() error {
			c, err := db.prepareChunk(ctx, b, n)
			if err == nil {
				going, err = db.queueChunk(ctx, b.ID, each, c)
			}
			return err
		})
		if err != nil || !going {
			return err
		}
	}
	return db.write(ctx, func(t *tx) error {
		_, err := t.endQueueing(b.ID)
		return err
	})
}

// endQueueing ends the queueing of a list. What became of its lines is kept for
// some time from now on.
func (t *tx) endQueueing(id erasure.BatchID) (ended bool, err error) {
	n, err := t.exec(`UPDATE spools SET stage = $1, expires = $2 WHERE batch = $3 AND stage = $4`,
		string(erasure.Done), t.hb.Store+bulkResultsLife.Milliseconds(), id[:], string(erasure.Queueing))
	return n > 0, err
}

// inTurn works on a chunk of a list when it is its turn and there is room. The
// lists that are worked on take turns, so that however many there are, they keep
// one core busy and others wait for the commit of one chunk. A panic is an error: the list is tried again after each
// start, and must not end each of them.
func (db *DB) inTurn(ctx context.Context, work func() error) (err error) {
	select {
	case db.bulkTurn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() {
		<-db.bulkTurn
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	if err := db.roomForLists(); err != nil {
		return err
	}
	return work()
}

// eachOf is what all requests of a list have in common.
func (db *DB) eachOf(ctx context.Context, b bulk) (erasure.NewRequest, error) {
	each := erasure.NewRequest{Batch: &b.ID, Origin: b.origin, Actor: b.Actor, Reference: b.Reference, Suppress: b.Suppress}
	if b.reason == nil {
		return each, nil
	}
	k, err := db.keyring.Key(ctx, *b.key)
	if err != nil {
		return each, err
	}
	reason, err := k.Open(b.reason, spoolAD("reason", 0))
	each.Reason = string(reason)
	return each, err
}

// queueChunk makes the requests of a chunk. going is false where the list was
// cancelled meanwhile.
func (db *DB) queueChunk(ctx context.Context, id erasure.BatchID, each erasure.NewRequest, c prepared) (going bool, err error) {
	try := (*tx).queueFound
	for range 2 {
		err = db.write(ctx, func(t *tx) error {
			going, err = t.queueChunk(id, each, c, try)
			return err
		})
		if !errors.Is(err, errStale) {
			break
		}
		try = (*tx).queueLines
	}
	return going, err
}

// errStale says that what a chunk was prepared with no longer holds.
var errStale = errors.New("the store changed since the chunk was prepared")

func (t *tx) queueChunk(id erasure.BatchID, each erasure.NewRequest, c prepared,
	queue func(*tx, erasure.NewRequest, prepared) ([]erasure.LineResult, int, error)) (going bool, err error) {
	b, err := t.bulk(id)
	if err != nil || b.Stage != erasure.Queueing {
		return false, err
	}
	if b.next != c.n { // another has done it
		return true, nil
	}
	results, matched, err := queue(t, each, c)
	if err != nil {
		return false, err
	}
	packed, err := pack(results)
	if err != nil {
		return false, err
	}
	if _, err := t.exec(`INSERT INTO bulk_results (batch, n, results) VALUES ($1, $2, $3)`, id[:], c.n, packed); err != nil {
		return false, err
	}
	if _, err := t.exec(`UPDATE batches SET matched = matched + $1 WHERE id = $2`, matched, id[:]); err != nil {
		return false, err
	}
	_, err = t.exec(`UPDATE spools SET next = next + 1, done = done + $1, attempts = 0 WHERE batch = $2`, len(c.lines), id[:])
	return true, err
}

// queueFound makes the requests of a chunk from what was looked up before,
// which is twice as fast as looking it up in the write. It is stale where the
// store changed since.
func (t *tx) queueFound(each erasure.NewRequest, c prepared) (results []erasure.LineResult, matched int, err error) {
	same, err := t.unchangedSince(c.version)
	if err != nil {
		return nil, 0, err
	}
	if !same {
		return nil, 0, errStale
	}
	q := foundQueue{tx: t, each: each, c: c, made: map[int64]erasure.RequestID{}, keys: c.keys}
	results = make([]erasure.LineResult, len(c.lines))
	for i := range c.lines {
		var leads bool
		if results[i], leads, err = q.line(i); err != nil {
			return nil, 0, err
		}
		if leads {
			matched++
		}
	}
	if err := t.insertRequests(q.rows); errors.Is(err, errTaken) {
		return nil, 0, errStale
	} else if err != nil {
		return nil, 0, err
	}
	return results, matched, nil
}

// foundQueue gathers the requests of a chunk, to write many with one statement.
type foundQueue struct {
	*tx
	each erasure.NewRequest
	c    prepared
	made map[int64]erasure.RequestID // by profile
	keys []seal.Key                  // left
	rows []request
}

// line is queueOne by what was looked up.
func (q *foundQueue) line(i int) (r erasure.LineResult, leads bool, err error) {
	l, p := q.c.lines[i], q.c.found[i]
	before, twice := q.made[p.id]
	adds := p.open != nil && (q.each.Suppress || l.Suppress) // to the request
	// A line before this one asked for the profile, says the check; but that
	// request is not open any more, or never was.
	askedBefore := q.c.leads != nil && q.c.leads[i] == leadsAgain && p.open == nil && !twice
	if q.c.wrong[i] != nil || p.matches != 1 || adds || askedBefore {
		return q.queueOne(q.each, q.c, i)
	}
	r = erasure.LineResult{Line: l.N, Outcome: erasure.AlreadyRequested, Request: p.open}
	switch {
	case twice && l.Suppress && !q.each.Suppress: // perhaps more than the line before asked for
		return r, false, errStale
	case twice:
		r.Request = &before
	case p.open != nil:
	case q.c.leads != nil && p.id != q.c.leads[i]:
		r.Outcome, r.Detail = erasure.Refused, errChanged.Sentence
	default:
		row := q.pendingRequest(lineOf(q.each, l), q.c.asked[i], p.target, q.keys[0])
		q.keys, q.rows, q.made[p.id] = q.keys[1:], append(q.rows, row), row.ID
		r.Outcome, r.Request = erasure.Queued, &row.ID
	}
	return r, true, nil
}

// queueLines makes the requests of a chunk one by one.
func (t *tx) queueLines(each erasure.NewRequest, c prepared) (results []erasure.LineResult, matched int, err error) {
	t.spare = c.keys
	results = make([]erasure.LineResult, len(c.lines))
	for i := range c.lines {
		var leads bool
		if results[i], leads, err = t.queueOne(each, c, i); err != nil {
			return nil, 0, err
		}
		if leads {
			matched++
		}
	}
	return results, matched, nil
}

// queueOne makes the request of one line of a chunk, and reports whether the
// line leads to anybody.
func (t *tx) queueOne(each erasure.NewRequest, c prepared, i int) (result erasure.LineResult, leads bool, err error) {
	l, err := c.lines[i], c.wrong[i]
	var r erasure.BatchResult
	if err == nil && c.leads != nil {
		r, err = t.queueChecked(lineOf(each, l), c.asked[i], c.leads[i])
	} else if err == nil {
		r, err = t.queueLine(lineOf(each, l), c.asked[i])
	}
	if r, err = refusedAs(r, err); err != nil {
		return result, false, fmt.Errorf("line %d: %w", l.N, err)
	}
	result = erasure.LineResult{Line: l.N, Outcome: r.Outcome, Detail: r.Detail}
	if r.Outcome == erasure.Shared {
		result.Matches = r.Matches
	}
	if len(r.Requests) > 0 {
		result.Request = &r.Requests[0]
	}
	return result, r.Matches > 0, nil
}

// lineOf is the request of one line: what it says itself comes first.
func lineOf(each erasure.NewRequest, l erasure.Line) erasure.NewRequest {
	each.Asked = l.Asked
	if l.Reason != "" {
		each.Reason = l.Reason
	}
	if l.Reference != "" {
		each.Reference = l.Reference
	}
	each.Suppress = each.Suppress || l.Suppress
	return each
}

func (t *tx) queueLine(n erasure.NewRequest, asked identifier) (erasure.BatchResult, error) {
	r, created, err := t.requestOne(n, asked, "")
	return one(r, created), err
}

var errChanged = erasure.Errorf(erasure.CodeInvalid, "Whom this line leads to has changed since the list was checked; ask for them again.")

// queueChecked asks for the profile that the check found, and for no other.
func (t *tx) queueChecked(n erasure.NewRequest, asked identifier, leads int64) (r erasure.BatchResult, err error) {
	p, err := t.target(n, asked)
	switch {
	case erasure.CodeOf(err) == erasure.CodeNotFound: // but perhaps being erased
		return t.queueLine(n, asked)
	case err != nil:
		return r, err
	case p.open == nil && p.id != leads:
		return r, errChanged
	}
	made, created, err := t.requestTarget(n, asked, p, "")
	return one(made, created), err
}

// sentenceOf is what an error says to people.
func sentenceOf(err error) string {
	if e, ok := errors.AsType[*erasure.Error](err); ok {
		return e.Sentence
	}
	return ""
}

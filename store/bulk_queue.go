package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/efface/efface/store/erasure"
)

// prepared is a chunk of a list whose identifiers are ready to be looked up.
type prepared struct {
	n     int
	lines []erasure.Line
	asked []identifier
	wrong []error // of the line, where nobody can be asked for by it
	leads []int64 // nil where the list was not checked
	err   error
}

// QueueBulk makes the requests of a confirmed list, some hundred lines to a
// commit, and returns once all of its lines are done. Several may work at one
// list. A list that was checked asks for those profiles alone that the check
// found.
func (db *DB) QueueBulk(ctx context.Context, id erasure.BatchID) error {
	b, err := db.readBulk(ctx, id)
	if err != nil {
		return err
	}
	if b.Stage == erasure.Queueing {
		if err := db.queueChunks(ctx, b); err != nil {
			return err
		}
	}
	_, err = db.destroySpool(ctx, id) // where that is busy, the rest is the sweeper's
	return err
}

func (db *DB) queueChunks(ctx context.Context, b bulk) error {
	each, err := db.eachOf(ctx, b)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	chunks := make(chan prepared, 1) // one is made ready while the one before is written
	go db.prepareChunks(ctx, b, chunks)
	for c := range chunks {
		if c.err != nil {
			return c.err
		}
		going, err := db.queueChunk(ctx, b.ID, each, c)
		if err != nil || !going {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE spools SET stage = $1 WHERE batch = $2 AND stage = $3`, string(erasure.Done), b.ID[:], string(erasure.Queueing))
		return err
	})
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

func (db *DB) prepareChunks(ctx context.Context, b bulk, to chan<- prepared) {
	defer close(to)
	for n := b.next; n < b.chunks; n++ {
		c := db.prepareChunk(ctx, b, n)
		select {
		case to <- c:
		case <-ctx.Done():
			return
		}
		if c.err != nil {
			return
		}
	}
}

func (db *DB) prepareChunk(ctx context.Context, b bulk, n int) prepared {
	c := prepared{n: n}
	k, err := db.keyring.Key(ctx, *b.key)
	if err != nil {
		c.err = err
		return c
	}
	var leads []byte
	if c.lines, leads, c.err = db.chunk(ctx, k, b.ID, n); c.err != nil {
		return c
	}
	c.asked, c.wrong = make([]identifier, len(c.lines)), make([]error, len(c.lines))
	for i, l := range c.lines {
		if c.asked[i], c.wrong[i] = db.checkLine(ctx, l); c.wrong[i] != nil && erasure.CodeOf(c.wrong[i]) != erasure.CodeInvalid {
			c.err = fmt.Errorf("line %d: %w", l.N, c.wrong[i])
			return c
		}
		if leads == nil {
			continue
		}
		to, size := binary.Varint(leads)
		if size <= 0 {
			c.err = fmt.Errorf("chunk %d of %s: what the check found cannot be read", n, b.ID)
			return c
		}
		c.leads, leads = append(c.leads, to), leads[size:]
	}
	return c
}

// queueChunk makes the requests of a chunk. going is false where the list was
// cancelled meanwhile.
func (db *DB) queueChunk(ctx context.Context, id erasure.BatchID, each erasure.NewRequest, c prepared) (going bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		going = false
		b, err := t.bulk(id)
		if err != nil || b.Stage != erasure.Queueing {
			return err
		}
		going = true
		if b.next != c.n { // another has done it
			return nil
		}
		results, matched, err := t.queueLines(each, c)
		if err != nil {
			return err
		}
		packed, err := json.Marshal(results)
		if err != nil {
			return err
		}
		if _, err := t.exec(`INSERT INTO bulk_results (batch, n, results) VALUES ($1, $2, $3)`, id[:], c.n, packed); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE batches SET matched = matched + $1 WHERE id = $2`, matched, id[:]); err != nil {
			return err
		}
		_, err = t.exec(`UPDATE spools SET next = next + 1, done = done + $1 WHERE batch = $2`, len(c.lines), id[:])
		return err
	})
	return going, err
}

func (t *tx) queueLines(each erasure.NewRequest, c prepared) (results []erasure.LineResult, matched int, err error) {
	results = make([]erasure.LineResult, len(c.lines))
	for i, l := range c.lines {
		err := c.wrong[i]
		var r erasure.BatchResult
		if err == nil && c.leads != nil {
			r, err = t.queueChecked(lineOf(each, l), c.asked[i], c.leads[i])
		} else if err == nil {
			r, err = t.queueLine(lineOf(each, l), c.asked[i])
		}
		if r, err = refusedAs(r, err); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", l.N, err)
		}
		if r.Matches > 0 {
			matched++
		}
		results[i] = erasure.LineResult{Line: l.N, Outcome: r.Outcome, Detail: r.Detail}
		if r.Outcome == erasure.Shared {
			results[i].Matches = r.Matches
		}
		if len(r.Requests) > 0 {
			results[i].Request = &r.Requests[0]
		}
	}
	return results, matched, nil
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
	case err != nil:
		return r, err
	case p.open != nil:
		return erasure.BatchResult{Outcome: erasure.AlreadyRequested, Matches: 1, Requests: []erasure.RequestID{*p.open}}, nil
	case p.id != leads:
		return r, errChanged
	}
	made, _, err := t.requestTarget(n, asked, p, "")
	return one(made, true), err
}

// sentenceOf is what an error says to people.
func sentenceOf(err error) string {
	if e, ok := errors.AsType[*erasure.Error](err); ok {
		return e.Sentence
	}
	return ""
}

// stopQueueing ends the queueing of a list whose batch is being cancelled.
func (db *DB) stopQueueing(ctx context.Context, id erasure.BatchID, actor erasure.Actor) error {
	return db.write(ctx, func(t *tx) error {
		if _, err := t.stands(actor, erasure.Admin, erasure.Staff); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE spools SET stage = $1 WHERE batch = $2 AND stage = $3`, string(erasure.Done), id[:], string(erasure.Queueing))
		return err
	})
}

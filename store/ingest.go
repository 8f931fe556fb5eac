package store

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// Outcome is what became of a call.
type Outcome string

// The outcomes.
const (
	Added      Outcome = "added"
	Seen       Outcome = "seen"       // its row or message id was stored before
	Suppressed Outcome = "suppressed" // every identifier in it is suppressed
	Refused    Outcome = "refused"    // the error says why; nothing of it was stored
)

// Result is the outcome of one call and, where it was refused, why.
type Result struct {
	Outcome Outcome
	Err     error
	Without
}

// Without says why not every identifier of a call that is stored was kept.
type Without struct {
	Suppressed bool // some may not be collected
	OverLimit  bool // their profile has as many of their keys as it may
}

// Ingest stores calls in their order, in one commit. A refused call does not
// stop the others.
func (db *DB) Ingest(ctx context.Context, calls []ingest.Call) ([]Result, error) {
	prepared := make([][]part, len(calls))
	refused := make([]error, len(calls))
	for i, c := range calls {
		var err error
		if prepared[i], err = db.prepare(ctx, c); erasure.CodeOf(err) != "" {
			refused[i] = err
		} else if err != nil {
			return nil, err
		}
	}
	var results []Result
	err := db.write(ctx, func(t *tx) error {
		results = make([]Result, len(calls))
		for i := range calls {
			if refused[i] != nil {
				results[i] = Result{Outcome: Refused, Err: refused[i]}
				continue
			}
			t.back.without = Without{}
			o, err := t.ingestParts(prepared[i])
			if erasure.CodeOf(err) != "" && t.err == nil {
				o = Refused
			} else if err != nil {
				return err
			}
			results[i] = Result{o, err, t.back.without}
		}
		return t.writeReturns()
	})
	return results, err
}

// prepare normalises what a call says, outside any transaction.
func (db *DB) prepare(ctx context.Context, c ingest.Call) ([]part, error) {
	p := part{table: c.Table, source: c.Source, traits: c.Traits, record: c.Record, at: c.At.UnixMilli()}
	if c.At.IsZero() {
		p.at = db.options.Clock.Now().Wall.UnixMilli()
	}
	if c.MessageID != "" {
		digest := db.digest("message", []byte(c.Source), []byte(c.MessageID))
		p.digest = &digest
	}
	var err error
	if p.ids, err = db.prepareIDs(ctx, c.Identifiers); err != nil {
		return nil, err
	}
	switch c.Kind {
	case ingest.Alias:
		p.previous, err = db.prepareIDs(ctx, []erasure.Identifier{
			{Table: c.Table, Key: erasure.KeyUserID, Value: c.PreviousID},
			{Table: c.Table, Key: erasure.KeyAnonymousID, Value: c.PreviousID},
		})
	case ingest.Group:
		group := part{table: erasure.Group, source: c.Source, traits: c.Traits, digest: p.digest, at: p.at}
		group.ids, err = db.prepareIDs(ctx, c.GroupIdentifiers)
		p.traits = nil
		return []part{p, group}, err
	}
	return []part{p}, err
}

// part is what a call says of one profile, normalised and fingerprinted. A
// group call has two: the member's and the group's.
type part struct {
	table    erasure.Table
	source   string
	ids      []identifier // strongest first
	previous []identifier // of an alias: the ways to read its previousId
	traits   map[string]jsontext.Value
	record   []byte
	at       int64
	digest   *[16]byte // of the message id; nil where a repeat cannot be told
}

func (t *tx) ingestParts(parts []part) (Outcome, error) {
	best := Suppressed
	var told []profile
	var dropped []leftOut
	for _, p := range parts {
		to, o, left, err := t.ingest(p)
		if err != nil {
			return Refused, err
		}
		if o == Suppressed {
			dropped = append(dropped, left...)
		} else {
			told = append(told, to)
		}
		if o == Added || best == Suppressed {
			best = o
		}
	}
	switch {
	case best == Suppressed:
		t.dropped(dropped)
	case best == Added && len(dropped) > 0: // of a group call the other part is kept
		t.trimmed(dropped)
	}
	if len(told) == 2 {
		return best, t.addMembership(told[1], told[0])
	}
	return best, nil
}

// ingest stores one part and returns whom it is about, or what suppressed it. It
// refuses before it writes.
func (t *tx) ingest(p part) (about profile, o Outcome, left []leftOut, err error) {
	ids, left, err := t.collectable(p.ids)
	if err != nil {
		return profile{}, Refused, nil, err
	}
	if len(ids) == 0 {
		return profile{}, Suppressed, left, nil
	}
	arrived, err := t.arrive(ids)
	if err != nil {
		return profile{}, Refused, nil, err
	}
	if before, seen, err := t.seen(p.digest, arrived); err != nil || seen {
		return before, Seen, nil, err
	}
	r, err := t.resolve(p.table, arrived)
	if err != nil {
		return profile{}, Refused, nil, err
	}
	if err := t.withinLimit(&r, arrived); err != nil {
		return profile{}, Refused, nil, err
	}
	previous, leftOfPrevious, err := t.collectable(p.previous)
	if err != nil {
		return profile{}, Refused, nil, err
	}
	if len(previous) > 0 && len(previous) == len(p.previous) { // no reading of it is suppressed
		if err := t.joinAlias(&r, arrived, previous); err != nil {
			return profile{}, Refused, nil, err
		}
	}
	left = append(left, leftOfPrevious...)
	if len(left) > 0 && p.record != nil { // which may hold them too
		if p.record, err = ingest.Unidentified(p.record); err != nil {
			return profile{}, Refused, nil, err
		}
	}
	if err := t.tell(r, p, arrived); err != nil {
		return profile{}, Refused, nil, err
	}
	t.trimmed(left)
	return r.target, Added, nil, t.noteShared(left, r.target)
}

package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/efface/efface/store/erasure"
)

// What the check found of a line where it is not the number of the profile to
// be asked for.
const (
	leadsNowhere = -iota
	leadsToOpen
	leadsToSeveral
	leadsAgain // where an earlier line led, or it says what that said
	leadsRefused
)

// refusalsShown is how many refused lines a list tells of.
const refusalsShown = 100

// bulkCheck is one check of a list, from its first line on: which lines are
// duplicates is known to its memory alone.
type bulkCheck struct {
	db       *DB
	found    erasure.BulkFound
	said     map[uint64]struct{} // fingerprints of identifiers
	profiles map[int64]struct{}
}

// CheckBulk looks up the lines of a list and counts what they lead to. Where it
// is broken off, the next call begins anew.
func (db *DB) CheckBulk(ctx context.Context, id erasure.BatchID) error {
	b, err := db.readBulk(ctx, id)
	if err != nil || b.Stage != erasure.Checking {
		return err
	}
	k, err := db.keyring.Key(ctx, *b.key)
	if err != nil {
		return err
	}
	c := bulkCheck{db: db, said: map[uint64]struct{}{}, profiles: map[int64]struct{}{}}
	done := 0
	for n := range b.chunks {
		going := false
		err := db.inTurn(ctx, func() error {
			lines, _, err := db.chunk(ctx, k, id, n)
			if err != nil {
				return err
			}
			leads, err := c.chunk(ctx, lines)
			if err != nil {
				return err
			}
			done += len(lines)
			going, err = db.noteLeads(ctx, id, n, done, leads)
			return err
		})
		if err != nil || !going {
			return err
		}
	}
	found, err := json.Marshal(c.found)
	if err != nil {
		return err
	}
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE spools SET stage = $1, found = $2, attempts = 0 WHERE batch = $3 AND stage = $4`,
			string(erasure.Checked), string(found), id[:], string(erasure.Checking))
		return err
	})
}

// noteLeads keeps what was found of a chunk. going is false where the list was
// given up meanwhile.
func (db *DB) noteLeads(ctx context.Context, id erasure.BatchID, n, done int, leads []byte) (going bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		rows, err := t.exec(`UPDATE spools SET done = $1 WHERE batch = $2 AND stage = $3`, done, id[:], string(erasure.Checking))
		going = rows > 0
		if err != nil || !going {
			return err
		}
		_, err = t.exec(`UPDATE spooled SET leads = $1 WHERE batch = $2 AND n = $3`, leads, id[:], n)
		return err
	})
	return going, err
}

// chunk counts lines, and returns where they lead as [unpackLeads] takes it.
func (c *bulkCheck) chunk(ctx context.Context, lines []erasure.Line) (leads []byte, err error) {
	asked, wrong, err := c.db.checkLines(ctx, lines)
	if err != nil {
		return nil, err
	}
	found, err := c.db.lookAhead(ctx, asked)
	if err != nil {
		return nil, err
	}
	for i, l := range lines {
		to := int64(leadsRefused)
		if wrong[i] == nil {
			to = c.line(asked[i], found[i])
		} else {
			c.refuse(l.N, wrong[i])
		}
		leads = binary.AppendVarint(leads, to)
	}
	return leads, nil
}

// line counts a line, and returns where it leads.
func (c *bulkCheck) line(asked identifier, p ahead) int64 {
	said := binary.BigEndian.Uint64(asked.mac[:])
	if _, again := c.said[said]; again {
		c.found.Duplicates++
		return leadsAgain
	}
	c.said[said] = struct{}{}
	switch p.matches {
	case 0:
		c.found.NotFound++
		return leadsNowhere
	case 1:
	default:
		c.found.Shared++
		return leadsToSeveral
	}
	if _, again := c.profiles[p.id]; again {
		c.found.Duplicates++
		return leadsAgain
	}
	c.profiles[p.id] = struct{}{}
	if p.open != nil {
		c.found.AlreadyRequested++
		return leadsToOpen
	}
	c.found.Matched++
	return p.id
}

func (c *bulkCheck) refuse(line int, err error) {
	c.found.Refused++
	if len(c.found.Refusals) < refusalsShown {
		c.found.Refusals = append(c.found.Refusals, erasure.Refusal{Line: line, Detail: sentenceOf(err)})
	}
}

// unpackLeads reads what a check found of so many lines; nil where there was
// none.
func unpackLeads(b []byte, lines int) (leads []int64, err error) {
	for len(b) > 0 {
		to, size := binary.Varint(b)
		if size <= 0 {
			return nil, errors.New("it cannot be read")
		}
		leads, b = append(leads, to), b[size:]
	}
	if leads != nil && len(leads) != lines {
		return nil, errors.New("it is not of as many lines")
	}
	return leads, nil
}

// checkLines prepares the identifiers of lines. wrong has an
// [erasure.CodeInvalid] where nobody can be asked for by a line.
func (db *DB) checkLines(ctx context.Context, lines []erasure.Line) (asked []identifier, wrong []error, err error) {
	asked, wrong = make([]identifier, len(lines)), make([]error, len(lines))
	for i, l := range lines {
		asked[i], err = db.checkLine(ctx, l)
		if wrong[i] = err; err != nil && erasure.CodeOf(err) != erasure.CodeInvalid {
			return nil, nil, fmt.Errorf("line %d: %w", l.N, err)
		}
	}
	return asked, wrong, nil
}

func (db *DB) checkLine(ctx context.Context, l erasure.Line) (identifier, error) {
	if l.Refused != "" {
		return identifier{}, erasure.Errorf(erasure.CodeInvalid, "%s", l.Refused)
	}
	return db.checkNew(ctx, erasure.NewRequest{Asked: l.Asked, Reason: l.Reason, Reference: l.Reference})
}

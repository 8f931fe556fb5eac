package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/efface/efface/store/seal"
)

// sweepKeys destroys the keys that were in the keyring at the sweep before and
// that nothing names: those made ahead and given up, and what a crash between
// the two databases left.
//
// A key of that age can't become named any more. It could only by a write that
// began before the key was given up, and the sweep begins with a write of its
// own, which no other write outlasts.
func (db *DB) sweepKeys(ctx context.Context, _ SweepOptions, s *Swept) error {
	last, err := db.lastSweep(ctx)
	if err != nil {
		return err
	}
	if err := db.Beat(ctx); err != nil {
		return fmt.Errorf("waiting for the writes before: %w", err)
	}
	_, hb := db.now()
	highest, err := db.keyring.MaxRow(ctx)
	if err != nil {
		return err
	}
	if last.highest > 0 && last.highest <= highest { // else the keyring is an older copy: begin anew
		if err := db.destroyUnnamed(ctx, last.highest, s); err != nil || s.Busy {
			return err
		}
	}
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO sweeps (id, done, highest) VALUES (1, $1, $2)
			ON CONFLICT (id) DO UPDATE SET done = excluded.done, highest = excluded.highest`, hb.Passed(), highest)
		return err
	})
}

func (db *DB) destroyUnnamed(ctx context.Context, highest int64, s *Swept) error {
	err := db.eachUnnamed(ctx, highest, func(unnamed []seal.Ref) error {
		if err := db.keyring.Destroy(ctx, unnamed); err != nil {
			return fmt.Errorf("destroying keys that nothing names: %w", err)
		}
		s.Keys += len(unnamed)
		return nil
	})
	if err == nil {
		s.Busy, err = db.keyring.Truncate(ctx)
	}
	return err
}

// eachUnnamed gives fn the live keys up to a row that nothing names, some at a
// time.
func (db *DB) eachUnnamed(ctx context.Context, highest int64, fn func([]seal.Ref) error) error {
	named, err := db.namedKeys(ctx)
	if err != nil {
		return fmt.Errorf("reading which keys are named: %w", err)
	}
	for after := int64(0); after < highest; {
		refs, destroyed, err := db.keyring.Keys(ctx, after, sweepStep)
		if err != nil {
			return err
		}
		if len(refs) == 0 {
			break
		}
		after = refs[len(refs)-1].Row
		var unnamed []seal.Ref
		for i, ref := range refs {
			if ref.Row <= highest && !destroyed[i] && !named.has(ref.ID) {
				unnamed = append(unnamed, ref)
			}
		}
		if len(unnamed) == 0 {
			continue
		}
		if err := fn(unnamed); err != nil {
			return err
		}
	}
	return nil
}

// naming reads the ids of the keys that one table names, a page at a time: a
// read that lasts would keep the checkpoints of others waiting. The columns
// behind the id say where the next page begins.
type naming struct {
	table string
	query string
	start []any
}

// namings has an entry for every table that names keys.
var namings = []naming{
	{"secrets", `SELECT key_id, name FROM secrets WHERE name > $1 ORDER BY name LIMIT $2`, []any{""}},
	{"fragments", `SELECT key_id, id FROM fragments WHERE id > $1 ORDER BY id LIMIT $2`, []any{int64(0)}},
	{"requests", `SELECT key_id, id FROM requests WHERE id > $1 AND key_id IS NOT NULL ORDER BY id LIMIT $2`, []any{[]byte{}}},
	{"spools", `SELECT key_id, batch FROM spools WHERE batch > $1 AND key_id IS NOT NULL ORDER BY batch LIMIT $2`, []any{[]byte{}}},
	{"erasure_keys", `SELECT key_id, request, key_id FROM erasure_keys WHERE (request, key_id) > ($1, $2)
		ORDER BY request, key_id LIMIT $3`, []any{[]byte{}, []byte{}}},
	{"log_subjects", `SELECT key_id, idx FROM log_subjects WHERE idx > $1 ORDER BY idx LIMIT $2`, []any{int64(-1)}},
}

// keyNames holds the first eight bytes of key ids, sorted: a sixth of what a
// set of whole ids takes. Ids are random, and two that agree in them only keep
// a key alive that could go.
type keyNames []uint64

func (n keyNames) has(id [16]byte) bool {
	_, found := slices.BinarySearch(n, binary.BigEndian.Uint64(id[:]))
	return found
}

// namedKeys goes by ids alone: a row number finds a key and proves nothing.
func (db *DB) namedKeys(ctx context.Context) (names keyNames, err error) {
	for _, n := range namings {
		for cursor, full := n.start, true; full && err == nil; {
			before := len(names)
			names, cursor, err = db.appendNames(ctx, names, n, cursor)
			full = len(names)-before == sweepStep
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.table, err)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (db *DB) appendNames(ctx context.Context, names keyNames, n naming, cursor []any) (keyNames, []any, error) {
	rows, err := db.reads.QueryContext(ctx, n.query, append(slices.Clone(cursor), sweepStep)...)
	if err != nil {
		return names, nil, err
	}
	next := make([]any, len(cursor))
	err = eachRow(rows, func(scan func(...any) error) error {
		var id [16]byte
		dest := []any{scan16(&id)}
		for i := range next {
			dest = append(dest, &next[i])
		}
		err := scan(dest...)
		names = append(names, binary.BigEndian.Uint64(id[:]))
		return err
	})
	return names, next, err
}

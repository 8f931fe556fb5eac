package store

import (
	"context"
	"fmt"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// prepared is a chunk of a list that was looked up and has keys to its
// requests.
type prepared struct {
	n     int
	lines []erasure.Line
	asked []identifier
	wrong []error // of the line, where nobody can be asked for by it
	leads []int64 // nil where the list was not checked

	version int64 // of the store, before any was looked up
	found   []ahead
	keys    []seal.Key // as many as the chunk leads to profiles
}

// prepareChunk does outside the write what can be done there. It is not done
// while the chunk before is written: a fifth more lines a second would have a
// look-up beside them wait for several milliseconds.
func (db *DB) prepareChunk(ctx context.Context, b bulk, n int) (c prepared, err error) {
	c = prepared{n: n, version: db.writes.version.Load()}
	k, err := db.keyring.Key(ctx, *b.key)
	if err != nil {
		return c, err
	}
	var leads []byte
	if c.lines, leads, err = db.chunk(ctx, k, b.ID, n); err != nil {
		return c, err
	}
	if c.asked, c.wrong, err = db.checkLines(ctx, c.lines); err != nil {
		return c, err
	}
	if c.found, err = db.lookAhead(ctx, c.asked); err != nil {
		return c, err
	}
	if c.leads, err = unpackLeads(leads, len(c.lines)); err != nil {
		return c, fmt.Errorf("what the check found of chunk %d of %s: %w", n, b.ID, err)
	}
	profiles := map[int64]struct{}{}
	for _, p := range c.found {
		if p.matches == 1 && p.open == nil {
			profiles[p.id] = struct{}{}
		}
	}
	c.keys, err = db.keyring.Make(ctx, len(profiles))
	return c, err
}

package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// underway selects the claimed requests whose next try has come, the oldest
// first.
const underway = ` state IN ('in_progress', 'failed') AND joined IS NULL AND retry <= `

// erasing is one claimed request with the keys that its claim fixed.
type erasing struct {
	id     erasure.RequestID
	move   move // to be logged once the keys are gone; From is the state, in_progress or failed
	joined bool // others are joined with it
	refs   []seal.Ref
}

// DestroyKeys destroys the keys of up to limit claimed requests: the point of
// no return. It returns how many requests' keys are gone. It reports busy
// where the keys are overwritten but an open reader still keeps the old pages
// in the keyring's log; then nothing is recorded, and it is to be called again.
func (db *DB) DestroyKeys(ctx context.Context, limit int) (done int, busy bool, err error) {
	if err := db.writeWitness(nil); err != nil { // a claim that it lacks is none to a restore
		return 0, false, err
	}
	claimed, err := db.keysToDestroy(ctx, limit)
	if err != nil || len(claimed) == 0 {
		return 0, false, err
	}
	var refs []seal.Ref
	for _, e := range claimed {
		refs = append(refs, e.refs...)
	}
	if err := db.keyring.Destroy(ctx, refs); err != nil {
		return 0, false, fmt.Errorf("destroying keys: %w", err)
	}
	if busy, err = db.keyring.Truncate(ctx); busy || err != nil {
		return 0, busy, err
	}
	err = db.write(ctx, func(t *tx) error {
		done = 0
		for _, e := range claimed {
			gone, err := t.keysDestroyed(e)
			if err != nil {
				return err
			}
			if gone {
				done++
			}
		}
		return nil
	})
	return done, false, err
}

func (db *DB) keysToDestroy(ctx context.Context, limit int) (claimed []erasing, err error) {
	_, hb := db.now()
	rows, err := db.reads.QueryContext(ctx, `SELECT r.state, EXISTS (SELECT 1 FROM requests j WHERE j.joined = r.id), k.key_row, k.key_id, r.`+
		strings.ReplaceAll(moveColumns, ", ", ", r.")+`
		FROM erasure_keys k JOIN requests r ON r.id = k.request
		WHERE r.id IN (SELECT id FROM requests WHERE`+underway+`$1 AND keys_destroyed_at = 0 ORDER BY id LIMIT $2)
		ORDER BY r.id`, hb.Store, limit)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var state string
		var joined bool
		var ref seal.Ref
		m, id, err := scanMove(func(dest ...any) error {
			return scan(append([]any{&state, &joined, &ref.Row, scan16(&ref.ID)}, dest...)...)
		}, erasure.KeysDestroyed, "", erasure.InProgress)
		if err != nil {
			return err
		}
		if len(claimed) == 0 || claimed[len(claimed)-1].id != id {
			m.entry.From = erasure.State(state)
			claimed = append(claimed, erasing{id: id, move: m, joined: joined})
		}
		last := &claimed[len(claimed)-1]
		last.refs = append(last.refs, ref)
		return nil
	})
	return claimed, err
}

// keysDestroyed records that a request's keys are gone, with the list of
// them. Another runner may have recorded it before, or a failed try of it.
func (t *tx) keysDestroyed(e erasing) (gone bool, err error) {
	entry := &e.move.entry
	n, err := t.exec(keysDestroyedQuery(entry.From, `id = $2`), t.now.UnixMilli(), e.id[:], string(entry.From))
	if err != nil || n == 0 {
		return false, err
	}
	entry.Counts.Keys = len(e.refs)
	for _, ref := range e.refs {
		entry.Keys = append(entry.Keys, ref.ID)
	}
	t.logMove(e.move)
	if !e.joined {
		return true, nil
	}
	return true, t.each(func(scan func(...any) error) error {
		m, _, err := scanMove(scan, erasure.KeysDestroyed, entry.From, erasure.InProgress)
		t.logMove(m)
		return err
	}, keysDestroyedQuery(entry.From, `joined = $2`)+` RETURNING `+moveColumns, t.now.UnixMilli(), e.id[:], string(entry.From))
}

// moveColumns are what a statement that moves a request returns for the entry
// that scanMove makes of it.
const moveColumns = `id, batch, table_, origin, reference, identifiers, records`

func scanMove(scan func(...any) error, kind erasure.Kind, from, to erasure.State) (m move, id erasure.RequestID, err error) {
	var table, origin string
	e := erasure.Entry{Kind: kind, From: from, To: to, Actor: erasure.System, Counts: &erasure.Counts{}}
	err = scan(scan16(&id), scanNull16(&e.Batch), &table, &origin, &e.Reference, &e.Counts.Identifiers, &e.Counts.Records)
	e.Request, e.Origin = &id, erasure.Origin(origin)
	return move{entry: e, table: erasure.Table(table)}, id, err
}

// keysDestroyedQuery sets the state only where it changes: most indexes name
// it, and leaving them alone makes this step twice as fast.
func keysDestroyedQuery(from erasure.State, which string) string {
	set := ``
	if from == erasure.Failed {
		set = `state = 'in_progress', `
	}
	return `UPDATE requests SET ` + set + `keys_destroyed_at = $1, last_error = '', key_row = NULL, key_id = NULL, asked = NULL, reason = NULL
		WHERE ` + which + ` AND state = $3 AND keys_destroyed_at = 0`
}

// Work says what the runner has before it.
type Work struct {
	Next time.Duration // until the next request is due or retried; negative: none is open
}

// workQuery is worded so that requests_due gives the next one: MIN would read
// every pending request.
const workQuery = `SELECT
	(SELECT due FROM requests WHERE state = 'pending' AND joined IS NULL AND due > 0 ORDER BY due LIMIT 1),
	(SELECT MIN(retry) FROM requests WHERE state IN ('in_progress', 'failed') AND joined IS NULL)`

// Work reads what the runner has before it.
func (db *DB) Work(ctx context.Context) (w Work, err error) {
	_, hb := db.now()
	var due, retry *int64
	err = db.reads.QueryRowContext(ctx, workQuery).Scan(&due, &retry)
	if err != nil {
		return w, err
	}
	w.Next = -1
	if due != nil {
		w.Next = time.Duration(max(0, *due-hb.Passed())) * time.Millisecond
	}
	if retry != nil {
		until := time.Duration(max(0, *retry-hb.Store)) * time.Millisecond
		if w.Next < 0 || until < w.Next {
			w.Next = until
		}
	}
	return w, nil
}

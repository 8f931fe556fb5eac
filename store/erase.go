package store

import (
	"context"
	"database/sql"
	"errors"
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

// rowsOfOne is about how many rows a person has at least.
const rowsOfOne = 16

// OneRequest is a budget for [DB.DeleteRows] that touches one request alone.
const OneRequest = rowsOfOne - 1

// fewestRows orders requests by how many rows are to be deleted. Groups come
// last: they may have a million members, whom no request counts. The argument
// of number n is [tx.passedOver]: whose keys were gone by then come before all
// others, by age, so that smaller ones which keep coming pass nobody for ever.
func fewestRows(n int) string {
	return fmt.Sprintf(` CASE WHEN keys_destroyed_at < $%[1]d THEN keys_destroyed_at ELSE $%[1]d END, table_ = 'group', records, id`, n)
}

// passedOver is since when a request has waited for its rows long enough.
func (t *tx) passedOver() int64 { return t.now.Add(-time.Hour).UnixMilli() }

// DeleteRows deletes rows of profiles whose keys are destroyed, about budget
// of them in one commit, so that a person with a million records blocks
// nobody. A request whose rows are all gone becomes completed in the commit
// that takes the last of them. It returns how many completed, and whether
// there is more to do.
func (db *DB) DeleteRows(ctx context.Context, budget int) (completed int, more bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		requests, err := t.rowsToDelete(budget)
		if err != nil {
			return err
		}
		left := budget
		completed, more = 0, len(requests) > 0
		for _, r := range requests {
			done, err := t.deleteProfile(r, &left)
			if err != nil {
				return fmt.Errorf("deleting the rows of %s: %w", r.ID, err)
			}
			if !done {
				break
			}
			if err := t.complete(r); err != nil {
				return err
			}
			completed++
		}
		return nil
	})
	return completed, more, err
}

// rowsToDelete lists about as many requests as a budget of rows is good for.
func (t *tx) rowsToDelete(budget int) (rs []request, err error) {
	err = t.each(func(scan func(...any) error) error {
		r, err := scanRequest(scan, t.hb)
		rs = append(rs, r)
		return err
	}, `SELECT `+requestColumns+requestTables+` WHERE r.id IN (SELECT id FROM requests WHERE`+underway+`$1
		AND keys_destroyed_at > 0 ORDER BY`+fewestRows(2)+` LIMIT $3) ORDER BY`+fewestRows(2), t.hb.Store, t.passedOver(), budget/rowsOfOne+1)
	return rs, err
}

// deleteProfile deletes a profile's rows while the budget lasts, and reports
// whether none is left.
func (t *tx) deleteProfile(r request, left *int) (bool, error) {
	if !r.profile.Valid {
		return true, nil
	}
	p := r.profile.Int64
	fragments, err := t.fragmentIDs(p)
	if err != nil {
		return false, err
	}
	for _, f := range fragments {
		if done, err := t.deleteFragment(f, left); err != nil || !done {
			return false, err
		}
	}
	if done, err := t.deleteSome(left, `DELETE FROM lookup WHERE (key, mac, profile) IN
		(SELECT key, mac, profile FROM lookup WHERE profile = $1 LIMIT $2)`, p); err != nil || !done {
		return false, err
	}
	if done, err := t.deleteSome(left, deleteMemberships[r.Table], p); err != nil || !done {
		return false, err
	}
	for _, query := range []string{
		`DELETE FROM refused_merges WHERE profile = $1 OR other = $1`,
		`DELETE FROM over_limit WHERE profile = $1`,
		`UPDATE requests SET profile = NULL, key_row = NULL, key_id = NULL, asked = NULL, reason = NULL
			WHERE efface_id IN (SELECT efface_id FROM profiles WHERE id = $1 OR leads_to = $1)`,
		`DELETE FROM profiles WHERE id = $1 OR leads_to = $1`,
		`DELETE FROM claimed WHERE profile = $1`,
	} {
		if _, err := t.exec(query, p); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (t *tx) fragmentIDs(profile int64) (ids []int64, err error) {
	err = t.each(func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		ids = append(ids, id)
		return err
	}, `SELECT id FROM fragments WHERE profile = $1`, profile)
	return ids, err
}

func (t *tx) deleteFragment(id int64, left *int) (bool, error) {
	for _, query := range []string{
		`DELETE FROM records WHERE fragment = $1 AND n IN (SELECT n FROM records WHERE fragment = $1 LIMIT $2)`,
		`DELETE FROM messages WHERE fragment = $1 AND digest IN (SELECT digest FROM messages WHERE fragment = $1 LIMIT $2)`,
		`DELETE FROM identifiers WHERE fragment = $1 AND n IN (SELECT n FROM identifiers WHERE fragment = $1 LIMIT $2)`,
		`DELETE FROM merges WHERE fragment = $1 AND n IN (SELECT n FROM merges WHERE fragment = $1 LIMIT $2)`,
	} {
		if done, err := t.deleteSome(left, query, id); err != nil || !done {
			return false, err
		}
	}
	if _, err := t.exec(`DELETE FROM traits WHERE fragment = $1`, id); err != nil {
		return false, err
	}
	_, err := t.exec(`DELETE FROM fragments WHERE id = $1`, id)
	*left -= 2 // a profile may have a fragment for each of many devices
	return err == nil, err
}

// deleteSome deletes as many rows as the budget allows, and reports whether
// that was all of them.
func (t *tx) deleteSome(left *int, query string, id int64) (bool, error) {
	if *left <= 0 {
		return false, nil
	}
	limit := *left
	n, err := t.exec(query, id, limit)
	*left -= int(n)
	return err == nil && int(n) < limit, err
}

// complete ends a request, and those it is joined with, once nothing of the
// profile is left.
func (t *tx) complete(r request) error {
	err := t.each(func(scan func(...any) error) error {
		m, _, err := scanMove(scan, erasure.RequestCompleted, r.State, erasure.Completed)
		m.destroyed = true
		t.logMove(m)
		return err
	}, `UPDATE requests SET state = 'completed', finished_at = $1, finished = $2, program = $3, last_error = '', profile = NULL, waiting = NULL
		WHERE (id = $4 OR joined = $4) AND state IN ('in_progress', 'failed') AND keys_destroyed_at > 0
		RETURNING `+moveColumns,
		t.now.UnixMilli(), t.hb.Store, t.db.options.Program, r.ID[:])
	if err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM erasure_keys WHERE request = $1`, r.ID[:])
	return err
}

// FailedTries is from how many failed tries on a request is shown as failed.
// It is still retried, for as long as it takes.
const FailedTries = 10

// NoteFailure records a failed try of the claimed request that the step
// takes first, and puts its next one off by a growing time. why is one
// sentence without personal data. It reports whether there was such a request.
func (db *DB) NoteFailure(ctx context.Context, step Step, why string) (noted bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		noted = false
		first, args := ` id`, []any{t.hb.Store, step == Deleting}
		if step == Deleting {
			first, args = fewestRows(3), append(args, t.passedOver())
		}
		r, err := scanRequest(t.row(`SELECT `+requestColumns+requestTables+` WHERE r.id IN (SELECT id FROM requests WHERE`+underway+`$1
			AND (keys_destroyed_at > 0) = $2 ORDER BY`+first+` LIMIT 1)`, args...).Scan, t.hb)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		noted = true
		return t.noteFailure(r, why)
	})
	return noted, err
}

// Step is a step of an erasure that can fail on its own.
type Step int

// The steps, in their order.
const (
	Destroying Step = iota // keys
	Deleting               // rows
)

func (t *tx) noteFailure(r request, why string) error {
	tries := r.Attempts + 1
	state := r.State
	if tries >= FailedTries {
		state = erasure.Failed
	}
	return t.each(func(scan func(...any) error) error {
		m, _, err := scanMove(scan, erasure.RequestFailed, r.State, state)
		m.destroyed = !r.KeysDestroyedAt.IsZero()
		if state != r.State {
			t.logMove(m)
		}
		return err
	}, `UPDATE requests SET attempts = $1, last_error = $2, retry = $3, state = $4
		WHERE (id = $5 OR joined = $5) AND state IN ('in_progress', 'failed') RETURNING `+moveColumns,
		tries, why, t.hb.Store+backoff(tries).Milliseconds(), string(state), r.ID[:])
}

// backoff doubles from a second up to ten minutes.
func backoff(tries int) time.Duration {
	return min(time.Second<<min(tries-1, 10), 10*time.Minute)
}

// NoteWaiting shows on the requests whose keys are overwritten that an open
// reader is still waited for.
func (db *DB) NoteWaiting(ctx context.Context) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE requests SET last_error = 'Key overwritten, waiting for an open reader.'
			WHERE state IN ('in_progress', 'failed') AND keys_destroyed_at = 0
				AND last_error <> 'Key overwritten, waiting for an open reader.'`)
		return err
	})
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

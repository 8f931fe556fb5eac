package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

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
// nobody. Then a second reader looks for what should be gone: a request of which
// it finds nothing becomes completed, and any other failed, to be tried again.
// It returns how many completed, and whether there is more to do.
func (db *DB) DeleteRows(ctx context.Context, budget int) (completed int, more bool, err error) {
	gone, more, err := db.deleteRows(ctx, budget)
	if err != nil {
		return 0, more, err
	}
	if gone, err = db.destroyAgain(ctx, gone); err != nil {
		return 0, more, err
	}
	completed, err = db.checkAndComplete(ctx, gone)
	return completed, more, err
}

// deleteRows returns the requests whose rows are all gone.
func (db *DB) deleteRows(ctx context.Context, budget int) (gone []request, more bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		requests, err := t.rowsToDelete(budget)
		if err != nil {
			return err
		}
		left := budget
		gone, more = nil, len(requests) > 0
		for _, r := range requests {
			done, err := t.deleteProfile(r, &left)
			if err != nil {
				return fmt.Errorf("deleting the rows of %s: %w", r.ID, err)
			}
			if !done {
				break
			}
			gone = append(gone, r)
		}
		return nil
	})
	return gone, more, err
}

// destroyAgain destroys the keys of requests whose check found something. It
// leaves those out while an open reader keeps the old pages.
func (db *DB) destroyAgain(ctx context.Context, gone []request) ([]request, error) {
	var refs []seal.Ref
	for _, r := range gone {
		if !r.hit {
			continue
		}
		fixed, err := db.fixedKeys(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		refs = append(refs, fixed...)
	}
	if len(refs) == 0 {
		return gone, nil
	}
	if err := db.keyring.Destroy(ctx, refs); err != nil {
		return nil, fmt.Errorf("destroying keys again: %w", err)
	}
	busy, err := db.keyring.Truncate(ctx)
	if busy {
		gone = slices.DeleteFunc(gone, func(r request) bool { return r.hit })
	}
	return gone, err
}

func (db *DB) fixedKeys(ctx context.Context, id erasure.RequestID) (refs []seal.Ref, err error) {
	rows, err := db.reads.QueryContext(ctx, `SELECT key_row, key_id FROM erasure_keys WHERE request = $1`, id[:])
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var ref seal.Ref
		err := scan(&ref.Row, scan16(&ref.ID))
		refs = append(refs, ref)
		return err
	})
	return refs, err
}

func (db *DB) checkAndComplete(ctx context.Context, gone []request) (completed int, err error) {
	found, err := db.checkErased(ctx, gone)
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	err = db.write(ctx, func(t *tx) error {
		completed = 0
		for _, r := range gone {
			if what := found[r.ID]; what != "" {
				if err := t.noteHit(r, what); err != nil {
					return err
				}
				continue
			}
			done, err := t.complete(r)
			if err != nil {
				return err
			}
			if done {
				completed++
			}
		}
		return nil
	})
	if err == nil && (len(found) > 0 || slices.ContainsFunc(gone, func(r request) bool { return r.hit })) {
		err = db.loadHits(ctx)
	}
	return completed, err
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
	fragments, err := t.fragmentIDs(r)
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
	if r.hit {
		if done, err := t.deleteStrays(r, left); err != nil || !done {
			return false, err
		}
	}
	for _, query := range []string{
		`DELETE FROM refused_merges WHERE profile = $1 OR other = $1`,
		`DELETE FROM over_limit WHERE profile = $1`,
		`UPDATE requests SET profile = NULL, key_row = NULL, key_id = NULL, asked = NULL, reason = NULL
			WHERE efface_id IN (SELECT efface_id FROM profiles WHERE id = $1 OR leads_to = $1) AND state NOT IN ('in_progress', 'failed')`,
		`DELETE FROM profiles WHERE id = $1 OR leads_to = $1`,
		`DELETE FROM claimed WHERE profile = $1`,
	} {
		if _, err := t.exec(query, p); err != nil {
			return false, err
		}
	}
	return true, nil
}

// deleteStrays deletes what nothing but a check finds: memberships on the side
// that a profile of its table has none on, and what requests still hold once
// the profile no longer says which they are.
func (t *tx) deleteStrays(r request, left *int) (bool, error) {
	for _, query := range deleteMemberships {
		if done, err := t.deleteSome(left, query, r.profile.Int64); err != nil || !done {
			return false, err
		}
	}
	_, err := t.exec(`UPDATE requests SET key_row = NULL, key_id = NULL, asked = NULL, reason = NULL
		WHERE efface_id = (SELECT efface_id FROM requests WHERE id = $1)`, r.ID[:])
	return err == nil, err
}

// fragmentIDs lists a profile's fragments. Where a check found something, those
// whose own row is gone are among them, unless their number is another's now.
func (t *tx) fragmentIDs(r request) (ids []int64, err error) {
	query, args := `SELECT id FROM fragments WHERE profile = $1`, []any{r.profile.Int64}
	if r.hit {
		query += ` UNION SELECT number FROM erasure_checks WHERE request = $2 AND kind = 'fragment'
			AND NOT EXISTS (SELECT 1 FROM fragments f WHERE f.id = number AND f.profile <> $1)`
		args = append(args, r.ID[:])
	}
	err = t.each(func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		ids = append(ids, id)
		return err
	}, query, args...)
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
// profile is left. Another runner may have ended it before.
func (t *tx) complete(r request) (done bool, err error) {
	err = t.each(func(scan func(...any) error) error {
		m, _, err := scanMove(scan, erasure.RequestCompleted, r.State, erasure.Completed)
		m.destroyed, done = true, true
		t.logMove(m)
		return err
	}, `UPDATE requests SET state = 'completed', finished_at = $1, checked_at = $1, finished = $2, program = $3, last_error = '', profile = NULL, waiting = NULL
		WHERE (id = $4 OR joined = $4) AND state IN ('in_progress', 'failed') AND keys_destroyed_at > 0
		RETURNING `+moveColumns,
		t.now.UnixMilli(), t.hb.Store, t.db.options.Program, r.ID[:])
	if err != nil {
		return false, err
	}
	forget := []string{`DELETE FROM erasure_keys WHERE request = $1`, `DELETE FROM erasure_checks WHERE request = $1`}
	if r.hit {
		forget = append(forget, `DELETE FROM check_hits WHERE request = $1`)
	}
	for _, query := range forget {
		if _, err := t.exec(query, r.ID[:]); err != nil {
			return false, err
		}
	}
	return done, nil
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// An erasure is claimed, its keys are destroyed, its rows are deleted: three
// steps, each safe to repeat, because two databases have no common commit.

// ClaimDue claims up to limit requests whose window has passed, in one
// commit. From then on their profiles count as absent, their suppressions
// hold, and the list of keys to destroy is fixed. It returns how many it
// claimed.
func (db *DB) ClaimDue(ctx context.Context, limit int) (claimed int, err error) {
	err = db.write(ctx, func(t *tx) error {
		requests, err := t.claimDue(limit)
		claimed = len(requests)
		return err
	})
	return claimed, err
}

func (t *tx) claimDue(limit int) ([]request, error) {
	requests, err := t.claim(limit)
	if err != nil {
		return nil, err
	}
	for _, r := range requests {
		if err := t.claimed(r); err != nil {
			return nil, fmt.Errorf("claiming %s: %w", r.ID, err)
		}
	}
	return requests, nil
}

// claim is one conditional UPDATE, as [tx.cancel] is.
func (t *tx) claim(limit int) ([]request, error) {
	var ids []erasure.RequestID
	err := t.each(func(scan func(...any) error) error {
		var id erasure.RequestID
		err := scan(scan16(&id))
		ids = append(ids, id)
		return err
	}, `UPDATE requests SET state = 'in_progress', started_at = $1
		WHERE state = 'pending' AND due <= $2 AND id IN (SELECT id FROM requests
			WHERE state = 'pending' AND due <= $2 AND joined IS NULL ORDER BY due LIMIT $3)
		RETURNING id`, t.now.UnixMilli(), t.hb.Passed(), limit)
	if err != nil {
		return nil, err
	}
	requests := make([]request, len(ids))
	for i, id := range ids {
		if requests[i], err = t.request(id); err != nil {
			return nil, err
		}
	}
	return requests, nil
}

// claimed does what a claim's commit does beside the state.
func (t *tx) claimed(root request) error {
	_, err := t.exec(`UPDATE requests SET state = 'in_progress', started_at = $1 WHERE joined = $2 AND state = 'pending'`,
		t.now.UnixMilli(), root.ID[:])
	if err != nil {
		return err
	}
	together, err := t.together(root.ID)
	if err != nil {
		return err
	}
	if err := t.fixKeys(root, together); err != nil {
		return err
	}
	counts := erasure.Counts{}
	if root.profile.Valid {
		if counts, err = t.counts(root.profile.Int64); err != nil {
			return err
		}
	}
	for _, r := range together {
		if r.Suppress {
			if err := t.suppress(r, root); err != nil {
				return fmt.Errorf("suppressing: %w", err)
			}
		}
		_, err := t.exec(`UPDATE requests SET identifiers = $1, records = $2 WHERE id = $3`, counts.Identifiers, counts.Records, r.ID[:])
		if err != nil {
			return err
		}
		t.log(erasure.Entry{Kind: erasure.RequestClaimed, Request: &r.ID, Batch: r.Batch, From: erasure.Pending, To: erasure.InProgress,
			Origin: r.Origin, Reference: r.Reference, Actor: erasure.System, Counts: &counts})
	}
	if root.profile.Valid {
		_, err = t.exec(`UPDATE profiles SET claimed = 1 WHERE id = $1`, root.profile.Int64)
	}
	return err
}

// together reads a request and those that are joined with it.
func (t *tx) together(root erasure.RequestID) (rs []request, err error) {
	err = t.each(func(scan func(...any) error) error {
		r, err := scanRequest(scan, t.hb)
		rs = append(rs, r)
		return err
	}, `SELECT `+requestColumns+requestTables+` WHERE r.id = $1 OR r.joined = $1 ORDER BY r.id`, root[:])
	return rs, err
}

// fixKeys lists what shall be destroyed: the profile's data keys, and the keys
// of its requests, earlier cancelled ones included.
func (t *tx) fixKeys(root request, together []request) error {
	for _, r := range together {
		if r.key == nil {
			continue
		}
		if err := t.fixKey(root.ID, *r.key); err != nil {
			return err
		}
	}
	if !root.profile.Valid {
		return nil
	}
	for _, table := range []string{"fragments", "requests"} {
		_, err := t.exec(`INSERT INTO erasure_keys (request, key_row, key_id)
			SELECT $1, key_row, key_id FROM `+table+` WHERE profile = $2 AND key_row IS NOT NULL ON CONFLICT DO NOTHING`,
			root.ID[:], root.profile.Int64)
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) fixKey(request erasure.RequestID, ref seal.Ref) error {
	_, err := t.exec(`INSERT INTO erasure_keys (request, key_row, key_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		request[:], ref.Row, ref.ID[:])
	return err
}

// suppress keeps fingerprints of the identifiers that lead to this profile
// alone, or of the one asked for where nobody appeared.
func (t *tx) suppress(r, root request) error {
	if !root.profile.Valid {
		k, err := t.key(*r.key)
		if err != nil {
			return err
		}
		if err := r.open(k); err != nil {
			return err
		}
		return t.suppressOne(r, r.Asked.Key, r.Asked.Value)
	}
	held, err := t.held(root)
	if err != nil {
		return err
	}
	for _, h := range held {
		mac := fingerprint(t.db.secrets.lookup, root.Table, h.Key, h.normalised)
		var one int
		err := t.row(`SELECT 1 FROM lookup l JOIN profiles p ON p.id = l.profile
			WHERE l.key = $1 AND l.mac = $2 AND l.profile <> $3 AND p.claimed = 0`, h.number, mac[:], root.profile.Int64).Scan(&one)
		if err == nil {
			continue // shared: somebody else's calls must not be dropped
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err := t.suppressOne(r, h.Key, h.normalised); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) suppressOne(r request, key, normalised string) error {
	number, err := t.keyNumber(r.Table, key)
	if err != nil {
		return err
	}
	mac := fingerprint(t.db.secrets.suppression, r.Table, key, normalised)
	_, err = t.exec(`INSERT INTO suppressions (mac, table_, key, request, created_at, expires) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (mac) DO UPDATE SET request = excluded.request, created_at = excluded.created_at, expires = excluded.expires`,
		mac[:], string(r.Table), number, r.ID[:], t.now.UnixMilli(), t.hb.Store+t.db.options.SuppressFor.Milliseconds())
	return err
}

// held opens every identifier of a profile that is being claimed.
func (t *tx) held(root request) (held []heldIdentifier, err error) {
	var fs []fragment
	err = t.each(func(scan func(...any) error) error {
		f, err := scanFragment(scan)
		fs = append(fs, f)
		return err
	}, fragmentsQuery, root.profile.Int64)
	if err != nil {
		return nil, err
	}
	for _, f := range fs {
		k, err := t.key(f.key)
		if err != nil {
			return nil, err
		}
		err = t.each(func(scan func(...any) error) error {
			h, err := t.db.scanHeld(scan, root.Table, k)
			held = append(held, h)
			return err
		}, identifiersQuery, f.id)
		if err != nil {
			return nil, err
		}
	}
	return held, nil
}

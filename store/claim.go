package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// An erasure is claimed, its keys are destroyed, its rows are deleted: three
// steps, each safe to repeat, because two databases have no common commit.

// ClaimDue claims up to limit requests whose window has passed, in one
// commit, and fewer of those that suppress much. From then on their profiles count as absent, their suppressions
// hold, and the list of keys to destroy is fixed. It returns how many it
// claimed.
func (db *DB) ClaimDue(ctx context.Context, limit int) (claimed int, err error) {
	err = db.write(ctx, func(t *tx) error {
		claims, err := t.claimDue(limit)
		claimed = len(claims)
		return err
	})
	return claimed, err
}

func (t *tx) claimDue(limit int) ([]claim, error) {
	roots, err := t.claim(limit)
	if err != nil || len(roots) == 0 {
		return nil, err
	}
	joined, err := t.claimJoined()
	if err != nil {
		return nil, err
	}
	for _, root := range roots {
		if err := t.claimed(root, joined[root.id]); err != nil {
			return nil, fmt.Errorf("claiming %s: %w", root.id, err)
		}
	}
	return roots, nil
}

// claim is what a claim's statement returns of a request.
type claim struct {
	id        erasure.RequestID
	batch     *erasure.BatchID
	joined    *erasure.RequestID
	table     erasure.Table
	profile   sql.NullInt64
	origin    erasure.Origin
	reference string
	suppress  bool
	counts    erasure.Counts // as found when asked
	key       seal.Ref
	asked     []byte
}

const claimColumns = `id, batch, joined, table_, profile, origin, reference, suppress, identifiers, records, key_row, key_id, asked`

func scanClaim(scan func(...any) error) (c claim, err error) {
	var table, origin string
	err = scan(scan16(&c.id), scanNull16(&c.batch), scanNull16(&c.joined), &table, &c.profile, &origin, &c.reference,
		&c.suppress, &c.counts.Identifiers, &c.counts.Records, &c.key.Row, scan16(&c.key.ID), &c.asked)
	c.table, c.origin = erasure.Table(table), erasure.Origin(origin)
	return c, err
}

// claim is one conditional UPDATE, as [tx.cancel] is.
func (t *tx) claim(limit int) (claims []claim, err error) {
	err = t.each(func(scan func(...any) error) error {
		c, err := scanClaim(scan)
		claims = append(claims, c)
		return err
	}, claimQuery, t.now.UnixMilli(), t.hb.Passed(), limit, suppressedAtOnce)
	return claims, err
}

// suppressedAtOnce is about how many identifiers one commit suppresses at most,
// at 10 µs each, unless one person has more.
const suppressedAtOnce = 2000

const claimQuery = `UPDATE requests SET state = 'in_progress', started_at = $1
	WHERE state = 'pending' AND due <= $2 AND id IN (SELECT id FROM (
		SELECT id, due, COALESCE(SUM(suppressed) OVER (ORDER BY due, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before FROM (
			SELECT id, due, CASE WHEN suppress THEN identifiers ELSE 0 END AS suppressed FROM requests
			WHERE state = 'pending' AND due <= $2 AND joined IS NULL ORDER BY due LIMIT $3) AS next) AS some WHERE before < $4)
	RETURNING ` + claimColumns

// claimJoined lets the requests that are joined with claimed ones follow them,
// and returns them by the request that they are joined with.
func (t *tx) claimJoined() (map[erasure.RequestID][]claim, error) {
	joined := map[erasure.RequestID][]claim{}
	err := t.each(func(scan func(...any) error) error {
		c, err := scanClaim(scan)
		if err == nil {
			joined[*c.joined] = append(joined[*c.joined], c)
		}
		return err
	}, `UPDATE requests SET state = 'in_progress', started_at = $1
		WHERE state = 'pending' AND joined IN (SELECT id FROM requests WHERE state = 'in_progress' AND joined IS NULL)
		RETURNING `+claimColumns, t.now.UnixMilli())
	return joined, err
}

// claimed does what a claim's commit does beside the state.
func (t *tx) claimed(root claim, joined []claim) error {
	together := append([]claim{root}, joined...)
	if err := t.fixKeys(root, together); err != nil {
		return err
	}
	if err := t.setAside(root); err != nil {
		return fmt.Errorf("setting aside what the check asks for: %w", err)
	}
	counts, err := t.counts(root.profile)
	if err != nil {
		return fmt.Errorf("counting what will be erased: %w", err)
	}
	for _, c := range together {
		if err := t.fixCounts(c, counts); err != nil {
			return err
		}
		if c.suppress {
			if err := t.suppress(c); err != nil {
				return fmt.Errorf("suppressing: %w", err)
			}
		}
		t.logMove(move{table: c.table, entry: erasure.Entry{Kind: erasure.RequestClaimed, Request: &c.id, Batch: c.batch,
			From: erasure.Pending, To: erasure.InProgress, Origin: c.origin, Reference: c.reference, Actor: erasure.System, Counts: &counts}})
	}
	if err := t.fixHeldUp(root); err != nil {
		return fmt.Errorf("noting what was held up: %w", err)
	}
	if root.profile.Valid {
		_, err = t.exec(`INSERT INTO claimed (profile) VALUES ($1)`, root.profile.Int64)
	}
	return err
}

// counts counts what is held of a profile, and nothing where there is none.
func (t *tx) counts(profile sql.NullInt64) (c erasure.Counts, err error) {
	err = t.row(`SELECT (SELECT COUNT(*) FROM lookup WHERE profile = $1), (SELECT COALESCE(SUM(records), 0) FROM fragments WHERE profile = $1)`,
		profile).Scan(&c.Identifiers, &c.Records)
	return c, err
}

// fixCounts notes what will be erased, where that is not what was found when
// the request was made: most rows need not be written again.
func (t *tx) fixCounts(c claim, counts erasure.Counts) error {
	if c.counts == counts {
		return nil
	}
	_, err := t.exec(`UPDATE requests SET identifiers = $1, records = $2 WHERE id = $3`, counts.Identifiers, counts.Records, c.id[:])
	return err
}

// fixKeys lists what shall be destroyed: the profile's data keys, and the keys
// of its requests, earlier cancelled ones included.
func (t *tx) fixKeys(root claim, together []claim) error {
	if root.profile.Valid {
		_, err := t.exec(`INSERT INTO erasure_keys (request, key_row, key_id)
			SELECT $1, key_row, key_id FROM fragments WHERE profile = $2
			UNION ALL SELECT $1, r.key_row, r.key_id FROM profiles p CROSS JOIN requests r
				WHERE p.id = $2 AND r.efface_id = p.efface_id AND r.key_row IS NOT NULL
			UNION ALL SELECT $1, r.key_row, r.key_id FROM profiles p CROSS JOIN requests r
				WHERE p.leads_to = $2 AND r.efface_id = p.efface_id AND r.key_row IS NOT NULL`,
			root.id[:], root.profile.Int64)
		return err
	}
	for _, c := range together {
		_, err := t.exec(`INSERT INTO erasure_keys (request, key_row, key_id) VALUES ($1, $2, $3)`, root.id[:], c.key.Row, c.key.ID[:])
		if err != nil {
			return err
		}
	}
	return nil
}

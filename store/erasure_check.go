package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// What the check of an erasure asks for is set aside by its claim: the numbers
// and keys of all fragments, up to a thousand fingerprints, and a sample of the
// sealed values. None is of a record, for a claim reads none, and no long one.
const setAsideQuery = `INSERT INTO erasure_checks (request, kind, number, n, value)
	SELECT $1, 'fragment', id, key_row, key_id FROM fragments WHERE profile = $2
	UNION ALL SELECT * FROM (SELECT $1, 'lookup', key, 0, mac FROM lookup WHERE profile = $2 LIMIT 1000) AS l
	UNION ALL SELECT * FROM (SELECT $1, 'identifiers', i.fragment, i.n, i.sealed FROM fragments f CROSS JOIN identifiers i
		WHERE f.profile = $2 AND i.fragment = f.id LIMIT 6) AS i
	UNION ALL SELECT * FROM (SELECT $1, 'traits', s.fragment, 0, s.sealed AS sealed FROM fragments f CROSS JOIN traits s
		WHERE f.profile = $2 AND s.fragment = f.id LIMIT 2) AS s WHERE LENGTH(sealed) <= 2048`

func (t *tx) setAside(root claim) error {
	if !root.profile.Valid {
		return nil
	}
	_, err := t.exec(setAsideQuery, root.id[:], root.profile.Int64)
	return err
}

// checked are the tables that a check asks for what was erased, each as it
// names a profile or one of its fragments.
var checked = []struct {
	table string
	rows  string // of the request r
}{
	{"profiles", `profiles x WHERE x.id = r.profile`},
	{"profiles", `profiles x WHERE x.leads_to = r.profile`},
	{"claimed", `claimed x WHERE x.profile = r.profile`},
	{"fragments", `fragments x WHERE x.profile = r.profile`},
	{"lookup", `lookup x WHERE x.profile = r.profile`},
	{"lookup", `erasure_checks c CROSS JOIN lookup x WHERE c.request = r.id AND c.kind = 'lookup'
		AND x.key = c.number AND x.mac = c.value AND x.profile = r.profile`},
	{"memberships", `memberships x WHERE x.group_ = r.profile`},
	{"memberships", `memberships x WHERE x.member = r.profile`},
	{"refused_merges", `refused_merges x WHERE x.profile = r.profile`},
	{"refused_merges", `refused_merges x WHERE x.other = r.profile`},
	{"over_limit", `over_limit x WHERE x.profile = r.profile`},
	{"requests", `requests x WHERE x.efface_id = r.efface_id AND (x.key_row IS NOT NULL OR x.asked IS NOT NULL OR x.reason IS NOT NULL)`},
	{"identifiers", ofFragment("identifiers")},
	{"traits", ofFragment("traits")},
	{"records", ofFragment("records")},
	{"messages", ofFragment("messages")},
	{"merges", ofFragment("merges")},
}

// ofFragment leaves out a fragment whose number another profile has been given
// since.
func ofFragment(table string) string {
	return `erasure_checks c CROSS JOIN ` + table + ` x WHERE c.request = r.id AND c.kind = 'fragment' AND x.fragment = c.number
		AND NOT EXISTS (SELECT 1 FROM fragments f WHERE f.id = c.number AND f.profile <> r.profile)`
}

// checkQuery finds, for n requests, the first table that still has rows.
func checkQuery(n int) string {
	var q strings.Builder
	q.WriteString(`SELECT id, found FROM (SELECT r.id, CASE`)
	for _, c := range checked {
		fmt.Fprintf(&q, ` WHEN EXISTS (SELECT 1 FROM %s) THEN '%s'`, c.rows, c.table)
	}
	q.WriteString(` ELSE '' END AS found FROM requests r WHERE r.id IN ` + tuples(1, n) + `) AS each WHERE found <> ''`)
	return q.String()
}

// secondReader asks what is left of an erasure on connections of its own, opened
// for it: what the writer and the pages' readers hold in memory does not answer.
type secondReader struct {
	pool *sql.DB
	keys *seal.Second
}

func (db *DB) openSecondReader() (*secondReader, error) {
	keys, err := db.keyring.Second()
	if err != nil {
		return nil, err
	}
	pool, err := seal.OpenPool(filepath.Join(db.options.Dir, databaseFile), seal.DSNOptions{QueryOnly: true, CacheKiB: writerCacheKiB}, 1)
	if err != nil {
		return nil, errors.Join(err, keys.Close())
	}
	return &secondReader{pool: pool, keys: keys}, nil
}

func (s *secondReader) close() error { return errors.Join(s.pool.Close(), s.keys.Close()) }

// hits say of each request whose check found something, what.
type hits map[erasure.RequestID]string

// note keeps the first of what was found.
func (h hits) note(id erasure.RequestID, what string) {
	if h[id] == "" {
		h[id] = what
	}
}

// checkErased looks for what was erased of requests whose keys and rows are
// gone.
func (db *DB) checkErased(ctx context.Context, gone []request) (found hits, err error) {
	if len(gone) == 0 {
		return nil, nil
	}
	s, err := db.openSecondReader()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	ids := make([]any, len(gone))
	for i, r := range gone {
		ids[i] = r.ID[:]
	}
	found = hits{}
	for _, look := range []func(context.Context, []any, hits) error{s.rows, s.destroyed, s.sample} {
		if err := look(ctx, ids, found); err != nil {
			return nil, fmt.Errorf("checking what was erased: %w", err)
		}
	}
	return found, nil
}

func (s *secondReader) each(ctx context.Context, query string, ids []any, fn func(scan func(...any) error) error) error {
	rows, err := s.pool.QueryContext(context.WithoutCancel(ctx), query, ids...)
	if err != nil {
		return err
	}
	return eachRow(rows, fn)
}

func (s *secondReader) rows(ctx context.Context, ids []any, found hits) error {
	return s.each(ctx, checkQuery(len(ids)), ids, func(scan func(...any) error) error {
		var id erasure.RequestID
		var table string
		err := scan(scan16(&id), &table)
		found.note(id, fmt.Sprintf("The check after the deletion found rows in the table %s; they are deleted again.", table))
		return err
	})
}

const foundKey = "The check after the deletion found a key that is not destroyed; it is destroyed again."

// destroyed asks the keyring for the keys that the claim listed.
func (s *secondReader) destroyed(ctx context.Context, ids []any, found hits) error {
	query := `SELECT request, key_row, key_id FROM erasure_keys WHERE request IN ` + tuples(1, len(ids))
	return s.each(ctx, query, ids, func(scan func(...any) error) error {
		var id erasure.RequestID
		var ref seal.Ref
		if err := scan(scan16(&id), &ref.Row, scan16(&ref.ID)); err != nil {
			return err
		}
		alive, err := s.keys.Alive(ctx, ref)
		if alive {
			found.note(id, foundKey)
		}
		return err
	})
}

// sample tries to open the sealed values that were set aside.
func (s *secondReader) sample(ctx context.Context, ids []any, found hits) error {
	query := `SELECT c.request, c.kind, c.n, c.value, f.n, f.value FROM erasure_checks c
		CROSS JOIN erasure_checks f WHERE f.request = c.request AND f.kind = 'fragment' AND f.number = c.number
			AND c.kind IN ('identifiers', 'traits') AND c.request IN ` + tuples(1, len(ids))
	return s.each(ctx, query, ids, func(scan func(...any) error) error {
		var id erasure.RequestID
		var table string
		var n int64
		var sealed []byte
		var ref seal.Ref
		if err := scan(scan16(&id), &table, &n, &sealed, &ref.Row, scan16(&ref.ID)); err != nil {
			return err
		}
		opens, err := s.keys.Opens(ctx, ref, sealed, seal.AD{Table: table, Column: "sealed", N: n})
		if opens {
			found.note(id, foundKey)
		}
		return err
	})
}

func (db *DB) loadHits(ctx context.Context) error {
	var n int64
	err := db.reads.QueryRowContext(ctx, `SELECT COUNT(*) FROM check_hits`).Scan(&n)
	if err != nil {
		return fmt.Errorf("reading what checks found: %w", err)
	}
	db.hits.Store(n)
	return nil
}

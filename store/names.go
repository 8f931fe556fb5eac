package store

import (
	"context"
	"database/sql"
	"errors"
	"sort"
	"sync"

	"github.com/efface/efface/store/erasure"
)

// names remembers the numbers of identifier keys and sources. Their rows are
// never changed or deleted, so a number once committed stays true; numbers
// made in a transaction are remembered only by reading them after it.
type names struct {
	known sync.Map // keyName or sourceName to int64
}

type keyName struct {
	table erasure.Table
	name  string
}

type sourceName string

// keyNumber returns the number of an identifier key, or 0 where no profile
// has ever had it.
func (db *DB) keyNumber(ctx context.Context, table erasure.Table, name string) (int64, error) {
	return db.number(ctx, keyName{table, name}, `SELECT id FROM identifier_keys WHERE table_ = $1 AND name = $2`, string(table), name)
}

func (db *DB) number(ctx context.Context, what any, query string, args ...any) (int64, error) {
	if n, ok := db.names.known.Load(what); ok {
		return n.(int64), nil
	}
	var n int64
	err := db.reads.QueryRowContext(ctx, query, args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	db.names.known.Store(what, n)
	return n, nil
}

// keyNumber returns the number of an identifier key and gives it one where it
// has none.
func (t *tx) keyNumber(table erasure.Table, name string) (int64, error) {
	n, err := t.db.keyNumber(context.Background(), table, name)
	if n != 0 || err != nil {
		return n, err
	}
	if err := t.mayName(table, name); err != nil {
		return 0, err
	}
	if _, err := t.exec(`INSERT INTO identifier_keys (table_, name) VALUES ($1, $2) ON CONFLICT DO NOTHING`, string(table), name); err != nil {
		return 0, err
	}
	err = t.row(`SELECT id FROM identifier_keys WHERE table_ = $1 AND name = $2`, string(table), name).Scan(&n)
	return n, err
}

// keysLimit is how many kinds of identifiers a table may have. Staff choose among
// them, and clients name them.
const keysLimit = 1000

// mayName refuses another name of an identifier key where there are too many.
// Those that Efface knows by itself always have a place.
func (t *tx) mayName(table erasure.Table, name string) error {
	if erasure.KeyOf(table, name).Known {
		return nil
	}
	var n int
	if err := t.row(`SELECT COUNT(*) FROM identifier_keys WHERE table_ = $1`, string(table)).Scan(&n); err != nil || n < keysLimit {
		return err
	}
	return erasure.Errorf(erasure.CodeInvalid, "Use one of the kinds of identifiers that there are: there are %d already, the most that Efface takes.", keysLimit)
}

func (t *tx) sourceNumber(name string) (int64, error) {
	n, err := t.db.number(context.Background(), sourceName(name), `SELECT id FROM sources WHERE name = $1`, name)
	if n != 0 || err != nil {
		return n, err
	}
	if _, err := t.exec(`INSERT INTO sources (name) VALUES ($1) ON CONFLICT DO NOTHING`, name); err != nil {
		return 0, err
	}
	err = t.row(`SELECT id FROM sources WHERE name = $1`, name).Scan(&n)
	return n, err
}

// KeyNames lists the identifier keys of a table that staff may search by: the
// built-in ones in their order, then those that came with data, by name.
func (db *DB) KeyNames(ctx context.Context, table erasure.Table) ([]string, error) {
	known := erasure.KeyNames(table)
	builtin := len(known)
	rows, err := db.reads.QueryContext(ctx, `SELECT name FROM identifier_keys WHERE table_ = $1`, string(table))
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var name string
		if err := scan(&name); err != nil {
			return err
		}
		for _, k := range known[:builtin] {
			if k == name {
				return nil
			}
		}
		known = append(known, name)
		return nil
	})
	sort.Strings(known[builtin:])
	return known, err
}

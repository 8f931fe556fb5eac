package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// rebuiltAtOnce is how many look-ups are gathered and sorted before they are
// written, some 130 MB of them: in the order of the index they go in ten times
// as fast.
const rebuiltAtOnce = 4_000_000

// rebuiltInCommit is how many of them one commit writes, and rebuiltAtATime one
// statement.
const (
	rebuiltInCommit = 40_000
	rebuiltAtATime  = 200
)

// foundBy is a row of lookup.
type foundBy struct {
	lookedUp
	profile int64
}

// rebuildLookup derives lookup from the identifiers, of all profiles but those
// that are being erased. Its index is made in the end, in one pass.
func (db *DB) rebuildLookup(ctx context.Context) error {
	var stat string
	err := db.write(ctx, func(t *tx) error { return t.dropLookupIndex(&stat) })
	if err != nil {
		return err
	}
	var gathered []foundBy
	write := func() error {
		err := db.writeLookup(ctx, gathered)
		gathered = gathered[:0]
		return err
	}
	for last := int64(0); ; {
		fs, err := db.fragmentsAfter(ctx, last)
		if err != nil {
			return err
		}
		if len(fs) == 0 {
			break
		}
		last = fs[len(fs)-1].id
		found, unread, err := db.foundInAll(ctx, fs)
		if err == nil {
			err = db.tellUnread(ctx, unread)
		}
		if err != nil {
			return err
		}
		if gathered = append(gathered, found...); len(gathered) >= rebuiltAtOnce {
			if err := write(); err != nil {
				return err
			}
		}
	}
	if err := write(); err != nil {
		return err
	}
	return db.write(ctx, func(t *tx) error { return t.makeLookupIndex(stat) })
}

// dropLookupIndex keeps what the planner is told of the index, which goes with it.
func (t *tx) dropLookupIndex(stat *string) error {
	err := t.row(`SELECT stat FROM sqlite_stat1 WHERE idx = 'lookup_profile'`).Scan(stat)
	if err == nil {
		_, err = t.exec(`DROP INDEX lookup_profile`)
	}
	return err
}

func (t *tx) makeLookupIndex(stat string) error {
	_, err := t.exec(`CREATE INDEX lookup_profile ON lookup (profile, key)`)
	if err == nil {
		_, err = t.exec(`INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('lookup', 'lookup_profile', $1)`, stat)
	}
	if err == nil {
		_, err = t.exec(`ANALYZE sqlite_schema`)
	}
	return err
}

// unreadIdentifier is one that can't be opened, so that it leads nowhere.
type unreadIdentifier struct {
	profile int64
	key     string
}

// tellUnread counts the identifiers that can't be read, and logs whose they are: by
// another one, or by the User ID, they may be found.
func (db *DB) tellUnread(ctx context.Context, unread []unreadIdentifier) error {
	for _, u := range unread {
		var id uuid.UUID
		if err := db.reads.QueryRowContext(ctx, `SELECT efface_id FROM profiles WHERE id = $1`, u.profile).Scan(scan16(&id)); err != nil {
			return err
		}
		db.restoring.Did.Unread++
		db.log.Error("an identifier can't be read and leads nowhere", "user_id", id.String(), "key", u.key)
	}
	return nil
}

// foundInAll opens the identifiers of some fragments, a part of them on each
// processor.
func (db *DB) foundInAll(ctx context.Context, fs []ofProfile) ([]foundBy, []unreadIdentifier, error) {
	parts := slices.Collect(slices.Chunk(fs, (len(fs)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0)))
	found, unread, errs := make([][]foundBy, len(parts)), make([][]unreadIdentifier, len(parts)), make([]error, len(parts))
	var all sync.WaitGroup
	for i, part := range parts {
		all.Go(func() { found[i], unread[i], errs[i] = db.foundInSome(ctx, part) })
	}
	all.Wait()
	return slices.Concat(found...), slices.Concat(unread...), errors.Join(errs...)
}

// ofProfile is a fragment with the profile that it belongs to.
type ofProfile struct {
	id, profile int64
	table       erasure.Table
	key         seal.Ref
	claimed     bool // the profile is being erased
}

// fragmentsAfter reads the next fragments.
func (db *DB) fragmentsAfter(ctx context.Context, last int64) (fs []ofProfile, err error) {
	rows, err := db.reads.QueryContext(ctx, `SELECT f.id, f.profile, p.table_, f.key_row, f.key_id, EXISTS (SELECT 1 FROM claimed c WHERE c.profile = f.profile)
		FROM fragments f JOIN profiles p ON p.id = f.profile WHERE f.id > $1 ORDER BY f.id LIMIT 1000`, last)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var f ofProfile
		err := scan(&f.id, &f.profile, (*string)(&f.table), &f.key.Row, scan16(&f.key.ID), &f.claimed)
		fs = append(fs, f)
		return err
	})
	return fs, err
}

const identifiersBetweenQuery = `SELECT i.fragment, i.n, i.key, k.name, i.sealed FROM identifiers i JOIN identifier_keys k ON k.id = i.key
	WHERE i.fragment BETWEEN $1 AND $2 ORDER BY i.fragment`

// foundInSome opens the identifiers of fragments that are in the order of their
// numbers.
func (db *DB) foundInSome(ctx context.Context, fs []ofProfile) (found []foundBy, unread []unreadIdentifier, err error) {
	rows, err := db.reads.QueryContext(ctx, identifiersBetweenQuery, fs[0].id, fs[len(fs)-1].id)
	if err != nil {
		return nil, nil, err
	}
	var at int64 // the fragment that key is of
	var key seal.Key
	var noKey error
	err = eachRow(rows, func(scan func(...any) error) error {
		var fragment, n, number int64
		var name, value string
		var sealed sql.RawBytes
		if err := scan(&fragment, &n, &number, &name, &sealed); err != nil {
			return err
		}
		for len(fs) > 0 && fs[0].id < fragment {
			fs = fs[1:]
		}
		if len(fs) == 0 || fs[0].id != fragment || fs[0].claimed {
			return nil
		}
		if at != fragment {
			key, noKey = db.keyring.Key(ctx, fs[0].key)
			at = fragment
		}
		err := noKey
		if err == nil {
			value, _, err = openIdentifier(key, sealed, identifierAD(n))
		}
		switch {
		case err == nil:
			found = append(found, foundBy{lookedUp{number, fingerprint(db.secrets.lookup, fs[0].table, name, value)}, fs[0].profile})
		case errors.Is(err, seal.ErrSealed), errors.Is(err, seal.ErrMaster): // the value or the key's row is damaged
			unread = append(unread, unreadIdentifier{fs[0].profile, name})
		default:
			return fmt.Errorf("reading the identifiers of fragment %d: %w", fragment, err)
		}
		return nil
	})
	return found, unread, err
}

func (db *DB) writeLookup(ctx context.Context, all []foundBy) error {
	slices.SortFunc(all, func(a, b foundBy) int {
		if a.key != b.key {
			return int(a.key - b.key)
		}
		return bytes.Compare(a.mac[:], b.mac[:])
	})
	for chunk := range slices.Chunk(all, rebuiltInCommit) {
		err := db.write(ctx, func(t *tx) error {
			for some := range slices.Chunk(chunk, rebuiltAtATime) {
				var args []any
				for i := range some {
					args = append(args, some[i].key, some[i].mac[:], some[i].profile)
				}
				if _, err := t.exec(`INSERT INTO lookup (key, mac, profile) VALUES `+tuples(len(some), 3)+` ON CONFLICT DO NOTHING`, args...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("writing look-ups: %w", err)
		}
	}
	return nil
}

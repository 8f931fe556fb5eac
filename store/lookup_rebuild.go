package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// rebuiltAtOnce is how many look-ups are gathered and sorted before they are
// written, some 130 MB of them: in the order of the index they go in ten times
// as fast.
const rebuiltAtOnce = 4_000_000

// rebuiltInCommit is how many of them one commit writes.
const rebuiltInCommit = 20_000

// foundBy is a row of lookup.
type foundBy struct {
	lookedUp
	profile int64
}

// rebuildLookup derives lookup from the identifiers, of all profiles but those
// that are being erased.
func (db *DB) rebuildLookup(ctx context.Context) error {
	var gathered []foundBy
	for last, more := int64(0), true; more; {
		fs, err := db.fragmentsAfter(ctx, last)
		if err != nil {
			return err
		}
		for _, f := range fs {
			last = f.id
			if f.claimed {
				continue
			}
			found, err := db.foundIn(ctx, f)
			if err != nil {
				return fmt.Errorf("reading the identifiers of fragment %d: %w", f.id, err)
			}
			gathered = append(gathered, found...)
		}
		if more = len(fs) > 0; !more || len(gathered) >= rebuiltAtOnce {
			if err := db.writeLookup(ctx, gathered); err != nil {
				return err
			}
			gathered = gathered[:0]
		}
	}
	return nil
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

// foundIn opens a fragment's identifiers.
func (db *DB) foundIn(ctx context.Context, f ofProfile) (found []foundBy, err error) {
	key, err := db.keyring.Key(ctx, f.key)
	if err != nil {
		return nil, err
	}
	rows, err := db.reads.QueryContext(ctx, `SELECT i.n, i.key, k.name, i.sealed FROM identifiers i JOIN identifier_keys k ON k.id = i.key
		WHERE i.fragment = $1`, f.id)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var n, number int64
		var name string
		var sealed []byte
		if err := scan(&n, &number, &name, &sealed); err != nil {
			return err
		}
		value, _, err := openIdentifier(key, sealed, identifierAD(n))
		if err != nil {
			db.log.Error("an identifier can't be read and leads nowhere", "fragment", f.id, "n", n)
			return nil
		}
		found = append(found, foundBy{lookedUp{number, fingerprint(db.secrets.lookup, f.table, name, value)}, f.profile})
		return nil
	})
	return found, err
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
			for _, f := range chunk {
				if _, err := t.exec(`INSERT INTO lookup (key, mac, profile) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, f.key, f.mac[:], f.profile); err != nil {
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

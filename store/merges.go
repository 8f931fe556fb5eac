package store

import (
	"context"
	"errors"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// joining is what makes two profiles one: an identifier that led to the other,
// by an alias or not. It has no value where that does not open any more.
type joining struct {
	identifier
	alias bool
}

func mergeAD(n int64) seal.AD { return seal.AD{Table: "merges", Column: "sealed", N: n} }

// noteMerge keeps what joined two profiles, under the key of the survivor's
// oldest fragment: so it goes with the person.
func (t *tx) noteMerge(survivor, loser profile, by joining) error {
	f, k, err := t.oldestFragment(survivor)
	if err != nil {
		return err
	}
	if by.number == 0 && by.key != "" {
		if by.number, err = t.keyNumber(survivor.table, by.key); err != nil {
			return err
		}
	}
	var n int64
	if err := t.row(`SELECT COALESCE(MAX(n), 0) + 1 FROM merges WHERE fragment = $1`, f).Scan(&n); err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO merges (fragment, n, at, survivor, other, key, alias, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		f, n, t.now.UnixMilli(), survivor.efface[:], loser.efface[:], by.number, by.alias, sealIdentifier(k, by.identifier, mergeAD(n)))
	return err
}

func (t *tx) oldestFragment(p profile) (id int64, k seal.Key, err error) {
	var ref seal.Ref
	err = t.row(`SELECT id, key_row, key_id FROM fragments WHERE profile = $1 ORDER BY id LIMIT 1`, p.id).Scan(&id, &ref.Row, scan16(&ref.ID))
	if err != nil {
		return id, k, err
	}
	k, err = t.key(ref)
	return id, k, err
}

// shownMerges is how many merges of a profile are shown, the newest.
const shownMerges = 100

const mergesQuery = `SELECT m.fragment, m.n, m.at, m.survivor, m.other, COALESCE(k.name, ''), m.alias, m.sealed
	FROM fragments f CROSS JOIN merges m LEFT JOIN identifier_keys k ON k.id = m.key
	WHERE f.profile = $1 AND m.fragment = f.id ORDER BY m.at DESC, m.fragment DESC, m.n DESC LIMIT $2`

// openMerges reads what joined what, the newest first, so many at most.
func (db *DB) openMerges(ctx context.Context, l look, limit int) (merges []erasure.Merge, err error) {
	refs := map[int64]seal.Ref{}
	for _, f := range l.fragments {
		refs[f.id] = f.key
	}
	rows, err := db.reads.QueryContext(ctx, mergesQuery, l.profile.id, limit)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var m erasure.Merge
		var fragment, n int64
		var sealed []byte
		if err := scan(&fragment, &n, scanTime(&m.At), scan16(&m.Survivor), scan16(&m.Other), &m.Key, &m.Alias, &sealed); err != nil {
			return err
		}
		ref, ok := refs[fragment]
		if !ok {
			return nil // it came after the look that is logged
		}
		k, err := db.keyring.Key(ctx, ref)
		if err != nil {
			return err
		}
		_, m.Value, err = openIdentifier(k, sealed, mergeAD(n))
		if errors.Is(err, seal.ErrSealed) {
			err = nil
			db.log.Error("the identifier of a merge is damaged", "fragment", fragment)
		}
		merges = append(merges, m)
		return err
	})
	return merges, err
}

package store

import (
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/witness"
)

// suppress keeps fingerprints of the identifiers that lead to this profile
// alone, or of the one asked for where nobody appeared.
func (t *tx) suppress(c claim) error {
	if !c.profile.Valid {
		key, value, err := t.openAsked(c)
		if t.unreadable(c, err) {
			return nil
		}
		if err != nil {
			return err
		}
		number, err := t.keyNumber(c.table, key)
		if err != nil {
			return err
		}
		return t.suppressOne(c, key, value, lookedUp{key: number})
	}
	held, err := t.held(c)
	if err != nil {
		return err
	}
	done := map[lookedUp]bool{} // several sources give the same
	for _, h := range held {
		by := lookedUp{h.number, fingerprint(t.db.secrets.lookup, c.table, h.Key, h.Normalised)}
		if done[by] {
			continue
		}
		done[by] = true
		if err := t.suppressOne(c, h.Key, h.Normalised, by); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) openAsked(c claim) (key, value string, err error) {
	k, err := t.key(c.key)
	if err != nil {
		return "", "", err
	}
	b, err := k.Open(c.asked, askedAD())
	if err != nil {
		return "", "", fmt.Errorf("opening the identifier asked for: %w", err)
	}
	key, value = splitAsked(b)
	return key, value, nil
}

// suppressOne keeps the fingerprint of an identifier, unless it leads to somebody
// else too: their calls must not be dropped.
func (t *tx) suppressOne(c claim, key, normalised string, by lookedUp) error {
	t.suppresses = nil
	mac := fingerprint(t.db.secrets.suppression, c.table, key, normalised)
	expires := t.hb.Store + t.db.options.SuppressFor.Milliseconds()
	n, err := t.exec(suppressQuery, mac[:], string(c.table), by.key, c.id[:], t.now.UnixMilli(), expires, by.mac[:], c.profile.Int64)
	if n > 0 {
		t.suppressions = append(t.suppressions, witness.Suppression{MAC: hex.EncodeToString(mac[:]), Table: string(c.table), Key: key,
			Request: c.id.String(), CreatedAt: t.now.UnixMilli(), Expires: expires})
	}
	return err
}

const suppressQuery = `INSERT INTO suppressions (mac, table_, key, request, created_at, expires) SELECT $1, $2, $3, $4, $5, $6
	WHERE NOT EXISTS (SELECT 1 FROM lookup l WHERE l.key = $3 AND l.mac = $7 AND l.profile <> $8
		AND NOT EXISTS (SELECT 1 FROM claimed c WHERE c.profile = l.profile))
	ON CONFLICT (mac) DO UPDATE SET request = excluded.request, created_at = excluded.created_at,
		expires = excluded.expires, shared_at = 0`

// held opens every identifier of a profile that is being claimed.
func (t *tx) held(c claim) (held []heldIdentifier, err error) {
	var fs []fragment
	err = t.each(func(scan func(...any) error) error {
		f, err := scanFragment(scan)
		fs = append(fs, f)
		return err
	}, fragmentsQuery, c.profile.Int64)
	if err != nil {
		return nil, err
	}
	for _, f := range fs {
		k, err := t.key(f.key)
		if t.unreadable(c, err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		err = t.each(func(scan func(...any) error) error {
			h, err := t.db.scanHeld(scan, c.table, k)
			if t.unreadable(c, err) {
				return nil
			}
			held = append(held, h)
			return err
		}, identifiersQuery, f.id)
		if err != nil {
			return nil, err
		}
	}
	return held, nil
}

// unreadable reports whether an error means that something cannot be opened,
// now or ever. It is not suppressed then, and must not hold up the erasure.
func (t *tx) unreadable(c claim, err error) bool {
	if !errors.Is(err, seal.ErrDestroyed) && !errors.Is(err, seal.ErrUnknown) && !errors.Is(err, seal.ErrSealed) {
		return false
	}
	t.db.log.Warn("an identifier that cannot be read is not suppressed", "request", c.id.String(), "error", err)
	return true
}

// collectable leaves out the identifiers that may not be collected again, and
// returns them. It leaves out all of them where those that decide whose they
// are may not: what remained would be told of somebody else.
func (t *tx) collectable(ids []identifier) (keep []identifier, left []leftOut, err error) {
	if any, err := t.anySuppressed(); err != nil || !any {
		return ids, nil, err
	}
	for _, id := range ids {
		l, suppressed, err := t.suppressed(id)
		if err != nil {
			return nil, nil, err
		}
		if suppressed {
			left = append(left, l)
		} else {
			keep = append(keep, id)
		}
	}
	kept, err := t.decides(ids, keep)
	if err != nil || !kept {
		return nil, left, err
	}
	return keep, left, nil
}

// decides reports whether any of those that are kept says whose a call is. One
// that nobody has says nothing where a stronger one is suppressed: an erased
// user_id comes from a new device too, with an anonymous_id never seen.
func (t *tx) decides(ids, keep []identifier) (bool, error) {
	strength := func(id identifier) int { return erasure.KeyOf(id.table, id.key).Strength }
	decide := deciding(ids)
	slices.SortStableFunc(decide, func(a, b identifier) int { return strength(b) - strength(a) })
	for _, d := range decide {
		if !slices.ContainsFunc(keep, func(k identifier) bool { return d.key == k.key && d.mac == k.mac }) {
			continue
		}
		if strength(d) == strength(decide[0]) {
			return true, nil
		}
		d, err := t.numbered(d)
		if err != nil {
			return false, err
		}
		if found, err := t.lookup(d, 1); err != nil || len(found) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// anySuppressed asks once a transaction, for in many stores nothing is.
func (t *tx) anySuppressed() (bool, error) {
	if t.suppresses == nil {
		var one int
		err := t.row(`SELECT 1 FROM suppressions LIMIT 1`).Scan(&one)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return false, err
		}
		any := err == nil
		t.suppresses = &any
	}
	return *t.suppresses, nil
}

// deciding are the identifiers that say whose the others are: those that lead
// to one profile at most, or else the strongest one.
func deciding(ids []identifier) (decide []identifier) {
	strength := func(id identifier) int { return erasure.KeyOf(id.table, id.key).Strength }
	for _, id := range ids {
		if erasure.KeyOf(id.table, id.key).OneProfile {
			decide = append(decide, id)
		}
	}
	if len(decide) == 0 && len(ids) > 0 {
		decide = []identifier{slices.MaxFunc(ids, func(a, b identifier) int { return strength(a) - strength(b) })}
	}
	return decide
}

// suppressed reports whether an identifier may not be collected again, and
// since whose erasure.
func (t *tx) suppressed(id identifier) (l leftOut, suppressed bool, err error) {
	l = leftOut{table: id.table, key: id.key, mac: fingerprint(t.db.secrets.suppression, id.table, id.key, id.value)}
	err = t.row(`SELECT request FROM suppressions WHERE mac = $1 AND expires > $2`, l.mac[:], t.hb.Store).Scan(scan16(&l.request))
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, nil
	}
	return l, err == nil, err
}

package store

import (
	"database/sql"
	"errors"
	"slices"
)

// seen finds the profile that a call leads to and that has had it before.
func (t *tx) seen(digest *[16]byte, arrived []arrival) (before profile, seen bool, err error) {
	if digest == nil {
		return before, false, nil
	}
	told, err := t.wereTold(arrived)
	if err != nil {
		return before, false, err
	}
	if told, err = t.withTheirs(told); err != nil {
		return before, false, err
	}
	if before, seen, err = t.hadMessage(told, *digest); err != nil || seen {
		return before, seen, err
	}
	return t.seenOverLimit(*digest, told, arrived)
}

func (t *tx) hadMessage(profiles []profile, digest [16]byte) (had profile, seen bool, err error) {
	for _, p := range profiles {
		var one int
		err := t.row(`SELECT 1 FROM fragments f JOIN messages m ON m.fragment = f.id
			WHERE f.profile = $1 AND m.digest = $2`, p.id, digest[:]).Scan(&one)
		if err == nil {
			return p, true, nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return had, false, err
		}
	}
	return had, false, nil
}

// wereTold are the profiles that a call would have been stored with, had it
// come before: that which a User ID in it leads to, and that which its
// strongest other identifier has led to since then. Where that one may be
// shared, so may the others, and all of them have led there.
func (t *tx) wereTold(arrived []arrival) (told []profile, err error) {
	others := arrived
	if arrived[0].key == effaceIDKey {
		told, others = arrived[0].found, arrived[1:]
	}
	if len(others) == 0 {
		return told, nil
	}
	led := others[0].found
	if !others[0].spec.OneProfile {
		fewest := slices.MinFunc(others, func(a, b arrival) int { return len(a.found) - len(b.found) })
		if led, err = t.leadAll(others, fewest.found); err != nil {
			return nil, err
		}
	}
	return slices.Concat(told, led), nil
}

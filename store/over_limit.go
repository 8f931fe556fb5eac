package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/efface/efface/store/erasure"
)

// withinLimit leaves out what the target would have too many of a key with. An
// identifier that leads there already costs nothing, a new one is one count.
func (t *tx) withinLimit(r *resolution, arrived []arrival) error {
	if r.made != 0 && len(r.keep) <= t.db.options.KeyLimit {
		return nil
	}
	var held map[int64]int // of each key, these counted in
	keep := r.keep[:0]
	for _, id := range r.keep {
		led, err := t.leadsToPerson(r.target, id, arrived)
		if err != nil {
			return err
		}
		if !led {
			if held == nil {
				held = map[int64]int{}
			}
			if _, counted := held[id.number]; !counted {
				if held[id.number], err = t.heldOf(r.target, id.number); err != nil {
					return err
				}
			}
			if held[id.number] >= t.db.options.KeyLimit {
				t.back.without.OverLimit = true
				if err := t.noteOverLimit(r.target, id.number, 1, 0); err != nil {
					return err
				}
				continue
			}
			held[id.number]++
		}
		keep = append(keep, id)
	}
	r.keep = keep
	return nil
}

// leadsToPerson reports whether an identifier of a call leads to its target
// already, or to one that counts as one with it.
func (t *tx) leadsToPerson(target profile, id identifier, arrived []arrival) (bool, error) {
	if ledTo(target, id, arrived) {
		return true, nil
	}
	if !slices.ContainsFunc(arrived, func(a arrival) bool { return a.key == id.key && a.mac == id.mac && len(a.found) > 0 }) {
		return false, nil
	}
	all, err := t.together(target)
	if err != nil {
		return false, err
	}
	for _, p := range all {
		if leads, err := t.leadsTo(id, profile{id: p}); err != nil || leads {
			return leads, err
		}
	}
	return false, nil
}

// heldOf counts a profile's identifiers of a key, and those of who counts as one
// with it, as far as the limit.
func (t *tx) heldOf(p profile, key int64) (n int, err error) {
	all, err := t.together(p)
	if err != nil {
		return 0, err
	}
	if len(all) == 1 {
		err = t.row(heldQuery, p.id, key, t.db.options.KeyLimit).Scan(&n)
		return n, err
	}
	macs, err := t.macs(all, key)
	return len(macs), err
}

// macs reads which identifiers of a key several profiles have together, of each
// as many as tell that they are over the limit.
func (t *tx) macs(profiles []int64, key int64) (map[[16]byte]bool, error) {
	macs := map[[16]byte]bool{}
	for _, p := range profiles {
		err := t.each(func(scan func(...any) error) error {
			var mac [16]byte
			err := scan(scan16(&mac))
			macs[mac] = true
			return err
		}, `SELECT mac FROM lookup WHERE profile = $1 AND key = $2 LIMIT $3`, p, key, t.db.options.KeyLimit+1)
		if err != nil {
			return nil, err
		}
	}
	return macs, nil
}

const heldQuery = `SELECT COUNT(*) FROM (SELECT 1 FROM lookup WHERE profile = $1 AND key = $2 LIMIT $3) AS some`

// overTogether reports whether two profiles and those that count as one with
// them have too many identifiers of a key together, with those that the target
// is about to get, and notes it with both.
func (t *tx) overTogether(target, other profile, keep []identifier) (over bool, err error) {
	of, err := t.together(target)
	if err != nil || slices.Contains(of, other.id) {
		return false, err
	}
	with, err := t.together(other)
	if err != nil {
		return false, err
	}
	all := slices.Concat(of, with)
	for _, likely := range []func() ([]int64, error){
		func() ([]int64, error) { return t.overBefore(target, other) },
		func() ([]int64, error) { return t.overAtMost(all, keep) },
	} {
		keys, err := likely()
		if err != nil {
			return false, err
		}
		key, over, err := t.firstOver(all, keys, keep)
		if err != nil {
			return false, err
		}
		if over {
			if err := t.noteOverLimit(target, key, 0, 1); err != nil {
				return true, err
			}
			return true, t.noteOverLimit(other, key, 0, 1)
		}
	}
	return false, nil
}

// firstOver finds the first of some keys of which several profiles have too many
// identifiers together with some more.
func (t *tx) firstOver(profiles, keys []int64, more []identifier) (key int64, over bool, err error) {
	for _, key := range keys {
		macs, err := t.macs(profiles, key)
		if err != nil {
			return 0, false, err
		}
		for _, id := range more {
			if id.number == key {
				macs[id.mac] = true
			}
		}
		if len(macs) > t.db.options.KeyLimit {
			return key, true, nil
		}
	}
	return 0, false, nil
}

// overBefore lists the keys for which two may have been kept apart before, the
// latest first: the same two may come with every call.
func (t *tx) overBefore(a, b profile) (keys []int64, err error) {
	err = t.each(func(scan func(...any) error) error {
		var key int64
		err := scan(&key)
		keys = append(keys, key)
		return err
	}, overBeforeQuery, a.id, b.id)
	return keys, err
}

const overBeforeQuery = `SELECT a.key FROM over_limit a JOIN over_limit b ON b.key = a.key
	WHERE a.profile = $1 AND a.apart > 0 AND b.profile = $2 AND b.apart > 0 ORDER BY b.last_at DESC, a.key LIMIT 3`

// overAtMost lists the keys of which several profiles have too many identifiers
// together unless they share some, the most likely first: only of these it is
// read which they are.
func (t *tx) overAtMost(profiles []int64, keep []identifier) (keys []int64, err error) {
	counts := map[int64]int{}
	for _, id := range keep {
		counts[id.number]++
	}
	for _, p := range profiles {
		err := t.each(func(scan func(...any) error) error {
			var key int64
			var n int
			err := scan(&key, &n)
			counts[key] += n
			return err
		}, lookupCountsQuery, p, 100*t.db.options.KeyLimit) // one from before the limit may have a million
		if err != nil {
			return nil, err
		}
	}
	for key, n := range counts {
		if n > t.db.options.KeyLimit {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b int64) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	return keys, nil
}

const lookupCountsQuery = `SELECT key, COUNT(*) FROM (SELECT key FROM lookup WHERE profile = $1 ORDER BY key LIMIT $2) AS some GROUP BY key`

// noteOverLimit counts identifiers that a profile was not given, and profiles
// that were not joined with it.
func (t *tx) noteOverLimit(p profile, key int64, refused, apart int) error {
	_, err := t.exec(`INSERT INTO over_limit (profile, key, refused, apart, last_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (profile, key) DO UPDATE SET refused = over_limit.refused + excluded.refused,
			apart = over_limit.apart + excluded.apart, last_at = excluded.last_at`,
		p.id, key, refused, apart, t.now.UnixMilli())
	return err
}

func (t *tx) moveOverLimit(survivor, loser profile) error {
	moved, err := t.exec(`INSERT INTO over_limit (profile, key, refused, apart, last_at)
		SELECT $1, key, refused, apart, last_at FROM over_limit WHERE profile = $2
		ON CONFLICT (profile, key) DO UPDATE SET refused = over_limit.refused + excluded.refused,
			apart = over_limit.apart + excluded.apart,
			last_at = CASE WHEN excluded.last_at > over_limit.last_at THEN excluded.last_at ELSE over_limit.last_at END`,
		survivor.id, loser.id)
	if err != nil || moved == 0 {
		return err
	}
	_, err = t.exec(`DELETE FROM over_limit WHERE profile = $1`, loser.id)
	return err
}

// seenOverLimit finds the profile that had a call before, but not all of its
// identifiers, for it has as many as it may: it would have the call again.
func (t *tx) seenOverLimit(digest [16]byte, told []profile, arrived []arrival) (before profile, seen bool, err error) {
	p, ok, err := t.strongest(arrived)
	if err != nil || !ok || slices.ContainsFunc(told, func(o profile) bool { return o.id == p.id }) {
		return p, false, err
	}
	theirs, err := t.withTheirs([]profile{p})
	if err != nil {
		return p, false, err
	}
	had, seen, err := t.hadMessage(theirs, digest)
	if err != nil || !seen {
		return p, false, err
	}
	for _, a := range arrived {
		if a.leadsTo(p) || a.key == effaceIDKey || a.spec.OneProfile && len(a.found) > 0 {
			continue
		}
		n, err := t.heldOf(p, a.number)
		if err != nil || n < t.db.options.KeyLimit {
			return p, false, err
		}
	}
	return had, true, nil
}

const overLimitQuery = `SELECT k.name, o.refused, o.apart, o.last_at FROM over_limit o JOIN identifier_keys k ON k.id = o.key
	WHERE o.profile = $1 ORDER BY o.key`

// overLimit reads what a profile did not get.
func (db *DB) overLimit(ctx context.Context, p profile) (over []erasure.OverLimit, err error) {
	rows, err := db.reads.QueryContext(ctx, overLimitQuery, p.id)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		o := erasure.OverLimit{Limit: db.options.KeyLimit}
		err := scan(&o.Key, &o.Refused, &o.Apart, scanTime(&o.LastAt))
		over = append(over, o)
		return err
	})
	return over, err
}

package store

import (
	"database/sql"
	"errors"
	"slices"
)

// Profiles that only an open request keeps from merging count as one in the
// rules: after a cancel they shall be what they would be had there been no
// request, and a rule that took them for two would have decided otherwise.

const togetherQuery = `SELECT r.other FROM refused_merges r
		WHERE r.profile = $1 AND NOT EXISTS (SELECT 1 FROM claimed c WHERE c.profile = r.other)
	UNION ALL SELECT r.profile FROM refused_merges r
		WHERE r.other = $1 AND NOT EXISTS (SELECT 1 FROM claimed c WHERE c.profile = r.profile)`

// together lists a live profile and those that count as one with it, the
// oldest first.
func (t *tx) together(p profile) ([]int64, error) {
	all := []int64{p.id}
	if refused, err := t.anyRefused(); err != nil || !refused {
		return all, err
	}
	seen := map[int64]bool{p.id: true}
	for i := 0; i < len(all); i++ {
		err := t.each(func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			if !seen[id] {
				seen[id] = true
				all = append(all, id)
			}
			return err
		}, togetherQuery, all[i])
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(all)
	return all, nil
}

// anyRefused asks once a transaction, for mostly no merge is refused.
func (t *tx) anyRefused() (bool, error) {
	if t.refused == nil {
		var one int
		err := t.row(`SELECT 1 FROM refused_merges LIMIT 1`).Scan(&one)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return false, err
		}
		refused := err == nil
		t.refused = &refused
	}
	return *t.refused, nil
}

// findPersons says of what identifiers lead to which of it counts as one.
func (t *tx) findPersons(arrived []arrival) error {
	if refused, err := t.anyRefused(); err != nil || !refused {
		return err
	}
	persons := map[int64]int64{}
	for _, a := range arrived {
		for i, f := range a.found {
			if persons[f.id] == 0 {
				all, err := t.together(f)
				if err != nil {
					return err
				}
				for _, id := range all {
					persons[id] = all[0]
				}
			}
			a.found[i].person = persons[f.id]
		}
	}
	return nil
}

// withTheirs adds those that count as one with any of these.
func (t *tx) withTheirs(profiles []profile) ([]profile, error) {
	if refused, err := t.anyRefused(); err != nil || !refused {
		return profiles, err
	}
	all := slices.Clone(profiles)
	for _, p := range profiles {
		ids, err := t.together(p)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if slices.ContainsFunc(all, func(o profile) bool { return o.id == id }) {
				continue
			}
			other, err := t.profileByRow(id)
			if err != nil {
				return nil, err
			}
			other.person = p.person
			all = append(all, other)
		}
	}
	return all, nil
}

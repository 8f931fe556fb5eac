package store

import (
	"cmp"
	"slices"
)

// strongest is the profile that the strongest identifier leads to; where that
// leads to several, the one of them that the next identifier leads to, else
// the oldest. Where it is one of several that count as one, the same decides
// which of these.
func (t *tx) strongest(arrived []arrival) (p profile, ok bool, err error) {
	among, err := t.strongestOf(arrived)
	if err != nil || len(among) == 0 {
		return p, false, err
	}
	p = slices.MinFunc(among, func(a, b profile) int { return cmp.Compare(a.person, b.person) })
	if !slices.ContainsFunc(among, func(o profile) bool { return o.person == p.person && o.id != p.id }) {
		return p, true, nil
	}
	each := slices.Clone(arrived)
	for i, a := range each {
		each[i].found = nil
		for _, f := range a.found {
			if f.person == p.person {
				f.person = f.id
				each[i].found = append(each[i].found, f)
			}
		}
	}
	if among, err = t.strongestOf(each); err != nil || len(among) == 0 {
		return p, false, err
	}
	among[0].person = p.person
	return among[0], true, nil
}

// strongestOf takes who counts as one for the same.
func (t *tx) strongestOf(arrived []arrival) (among []profile, err error) {
	var by []arrival // what led to them
	more := false
	for _, a := range arrived {
		if len(a.found) == 0 || len(among) == 1 {
			continue
		}
		if among == nil {
			among, by, more = a.found, []arrival{a}, a.more
			continue
		}
		from, ids := among, []arrival{a}
		if more && !a.more { // this list is whole, the other is not
			from, ids = a.found, by
		}
		both, err := t.leadAll(ids, from)
		if err != nil {
			return nil, err
		}
		if len(both) > 0 {
			among, by, more = both, append(by, a), more && a.more
		}
	}
	return among, nil
}

// leadAll keeps those profiles that all the identifiers lead to.
func (t *tx) leadAll(ids []arrival, profiles []profile) (led []profile, err error) {
	for _, p := range profiles {
		all := true
		for _, a := range ids {
			leads := a.leadsTo(p)
			if !leads && a.more {
				if leads, err = t.leadsTo(a.identifier, p); err != nil {
					return nil, err
				}
			}
			all = all && leads
		}
		if all {
			led = append(led, p)
		}
	}
	return led, nil
}

package store_test

import (
	"maps"
	"slices"
	"strings"
)

// everybody is "Who is who" in docs/architecture.md, written for reading: what
// the store must come to, whatever it is told and in whatever order.
type everybody struct {
	all     []*someone // the oldest first
	refused []refusedMerge
}

type someone struct {
	ids     map[string]bool // "key=value"
	seen    map[string]bool // messages
	groups  map[string]bool
	records int
	former  int  // User IDs of those that merged into this one
	open    bool // a deletion request is open
}

type refusedMerge struct {
	a, b  *someone
	alias bool
}

// told is one call.
type told struct {
	source, message string
	ids             []string // "key=value"
	previous        string   // of an alias
	group           string   // of a group call
	record          bool
}

var strength = []string{"user_id", "clevertap_id", "anonymous_id", "email", "phone"}

func keyOf(id string) string { k, _, _ := strings.Cut(id, "="); return k }

func leadsToOneAtMost(id string) bool {
	k := keyOf(id)
	return k == "user_id" || k == "clevertap_id" || k == "anonymous_id"
}

func (ps *everybody) leads(id string) (found []*someone) {
	for _, p := range ps.all {
		if p.ids[id] {
			found = append(found, p)
		}
	}
	return found
}

func (p *someone) userIDs() (n int) {
	for id := range p.ids {
		if keyOf(id) == "user_id" {
			n++
		}
	}
	return n
}

// mayTake: a person has one user_id at most. Those that an alias joined count
// as one: each of them leads here already.
func (p *someone) mayTake(ids []string) bool {
	for _, id := range ids {
		if keyOf(id) == "user_id" && !p.ids[id] && p.userIDs() > 0 {
			return false
		}
	}
	return true
}

func (ps *everybody) tell(c told) {
	ids := slices.Clone(c.ids)
	slices.SortStableFunc(ids, func(a, b string) int { return rank(a) - rank(b) })
	if c.message != "" && ps.saw(ids, c.source+" "+c.message) {
		return
	}
	target := ps.strongest(ids)
	if target != nil && !target.mayTake(ids) {
		target = nil
	}
	where := map[string][]*someone{} // before anything merges
	for _, id := range ids {
		where[id] = ps.leads(id)
	}
	for _, id := range ids {
		if len(where[id]) != 1 { // a shared identifier joins nobody
			continue
		}
		found := ps.leads(id)
		target = ps.joined(target, found[0], ids)
	}
	if target == nil {
		target = &someone{ids: map[string]bool{}, seen: map[string]bool{}, groups: map[string]bool{}}
		ps.all = append(ps.all, target)
	}
	for _, id := range ids {
		if found := ps.leads(id); leadsToOneAtMost(id) && len(found) > 0 && found[0] != target {
			continue // it stays where it was
		}
		target.ids[id] = true
	}
	if c.previous != "" {
		target = ps.alias(target, c.previous)
	}
	if c.group != "" {
		target.groups[c.group] = true
	}
	if c.record {
		target.records++
	}
	if c.message != "" {
		target.seen[c.source+" "+c.message] = true
	}
}

func rank(id string) int {
	if i := slices.Index(strength, keyOf(id)); i >= 0 {
		return i
	}
	return len(strength)
}

// saw: a call is known by the person that its strongest identifier leads to;
// where that may be several, by one that all of its identifiers lead to.
func (ps *everybody) saw(ids []string, message string) bool {
	return slices.ContainsFunc(ps.leads(ids[0]), func(p *someone) bool {
		return p.seen[message] && (leadsToOneAtMost(ids[0]) || !slices.ContainsFunc(ids, func(id string) bool { return !p.ids[id] }))
	})
}

func (ps *everybody) strongest(ids []string) *someone {
	var among []*someone
	for _, id := range ids {
		found := ps.leads(id)
		if among == nil {
			among = found
			continue
		}
		var both []*someone
		for _, p := range among {
			if slices.Contains(found, p) {
				both = append(both, p)
			}
		}
		if len(both) > 0 {
			among = both
		}
	}
	if len(among) == 0 {
		return nil
	}
	return among[0]
}

// joined is the target after what leads to p was told with it.
func (ps *everybody) joined(target, p *someone, ids []string) *someone {
	switch {
	case p == target || !p.mayTake(ids):
		return target
	case target == nil:
		return p
	case target.userIDs() > 0 && p.userIDs() > 0:
		return target
	}
	return ps.merge(target, p, false)
}

// alias joins whom the previous id leads to, whatever they hold.
func (ps *everybody) alias(target *someone, previous string) *someone {
	for _, key := range []string{"user_id=", "anonymous_id="} {
		if found := ps.leads(key + previous); len(found) > 0 {
			if found[0] == target {
				return target
			}
			return ps.merge(target, found[0], true)
		}
	}
	target.ids["anonymous_id="+previous] = true
	return target
}

// merge keeps the older of two, unless an open request stops it.
func (ps *everybody) merge(a, b *someone, alias bool) *someone {
	if a.open || b.open {
		ps.refuse(a, b, alias)
		return a
	}
	keep, drop := a, b
	if slices.Index(ps.all, b) < slices.Index(ps.all, a) {
		keep, drop = b, a
	}
	maps.Copy(keep.ids, drop.ids)
	maps.Copy(keep.seen, drop.seen)
	maps.Copy(keep.groups, drop.groups)
	keep.records += drop.records
	keep.former += drop.former + 1
	ps.all = slices.DeleteFunc(ps.all, func(p *someone) bool { return p == drop })
	moved := ps.refused
	ps.refused = nil
	for _, r := range moved {
		if r.a == drop {
			r.a = keep
		}
		if r.b == drop {
			r.b = keep
		}
		if r.a != r.b {
			ps.refuse(r.a, r.b, r.alias)
		}
	}
	return keep
}

func (ps *everybody) refuse(a, b *someone, alias bool) {
	for i, r := range ps.refused {
		if r.a == a && r.b == b || r.a == b && r.b == a {
			ps.refused[i].alias = r.alias || alias
			return
		}
	}
	ps.refused = append(ps.refused, refusedMerge{a, b, alias})
}

// cancelled ends a person's request and tries again what it stopped, the
// oldest other first.
func (ps *everybody) cancelled(p *someone) {
	p.open = false
	var again []refusedMerge
	ps.refused = slices.DeleteFunc(ps.refused, func(r refusedMerge) bool {
		if r.b == p {
			r.a, r.b = r.b, r.a
		}
		if r.a == p {
			again = append(again, r)
		}
		return r.a == p
	})
	age := func(r refusedMerge) int { return slices.Index(ps.all, r.b) }
	slices.SortFunc(again, func(a, b refusedMerge) int { return age(a) - age(b) })
	target := p
	for _, r := range again {
		if r.alias || target.userIDs() == 0 || r.b.userIDs() == 0 {
			target = ps.merge(target, r.b, r.alias)
		}
	}
}

// erased takes away everybody whose request is open.
func (ps *everybody) erased() {
	ps.refused = slices.DeleteFunc(ps.refused, func(r refusedMerge) bool { return r.a.open || r.b.open })
	ps.all = slices.DeleteFunc(ps.all, func(p *someone) bool { return p.open })
}

// lines says who is who: of each person the identifiers, records and numbers
// of former User IDs and of groups.
func (ps *everybody) lines() (all []string) {
	for _, p := range ps.all {
		all = append(all, line(slices.Sorted(maps.Keys(p.ids)), p.records, p.former, len(p.groups)))
	}
	slices.Sort(all)
	return all
}

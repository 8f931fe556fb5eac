package store_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// everybody is "Who is who" in docs/architecture.md, written for reading: what
// the store must come to, whatever it is told and in whatever order.
type everybody struct {
	limit   int        // identifiers of a key
	all     []*someone // the oldest first
	refused []refusedMerge
}

type someone struct {
	ids     map[string]bool // "key=value"
	seen    map[string]bool // messages
	groups  map[string]bool
	over    map[string]int // by key: what was over the limit
	apart   int            // how often somebody was not joined, for they had too many together
	merges  []string       // what joined, "alias" in front where one said so
	records int
	open    bool     // a deletion request is open
	into    *someone // whom this one merged into
}

type refusedMerge struct {
	a, b *someone
	by   string
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

func isAlias(by string) bool { return strings.HasPrefix(by, "alias ") }

func (ps *everybody) leads(id string) (found []*someone) {
	for _, p := range ps.all {
		if p.ids[id] {
			found = append(found, p)
		}
	}
	return found
}

func (p *someone) now() *someone {
	for p.into != nil {
		p = p.into
	}
	return p
}

// together are p and those that only an open request keeps from merging with
// it, the oldest first. The rules take them for one.
func (ps *everybody) together(p *someone) (all []*someone) {
	in := map[*someone]bool{p: true}
	for more := true; more; {
		more = false
		for _, r := range ps.refused {
			if in[r.a] != in[r.b] {
				in[r.a], in[r.b], more = true, true, true
			}
		}
	}
	for _, p := range ps.all {
		if in[p] {
			all = append(all, p)
		}
	}
	return all
}

func (ps *everybody) areOne(a, b *someone) bool { return slices.Contains(ps.together(a), b) }

func (ps *everybody) ageOf(p *someone) int { return slices.Index(ps.all, ps.together(p)[0]) }

// held are the identifiers of one key, of people together.
func held(people []*someone, key string) map[string]bool {
	ids := map[string]bool{}
	for _, p := range people {
		for id := range p.ids {
			if keyOf(id) == key {
				ids[id] = true
			}
		}
	}
	return ids
}

// mayTake: a person has one user_id at most. Those that an alias joined count
// as one: each of them leads here already.
func (ps *everybody) mayTake(p *someone, ids []string) bool {
	has := held(ps.together(p), "user_id")
	return !slices.ContainsFunc(ids, func(id string) bool { return keyOf(id) == "user_id" && !has[id] && len(has) > 0 })
}

func (ps *everybody) tell(c told) {
	ids := slices.Clone(c.ids)
	slices.SortStableFunc(ids, func(a, b string) int { return rank(a) - rank(b) })
	if c.message != "" && ps.saw(ids, c.source+" "+c.message) {
		return
	}
	target := ps.strongest(ids)
	if target != nil && !ps.mayTake(target, ids) {
		target = nil
	}
	where := map[string][]*someone{} // before anything merges
	shared := map[string]bool{}
	for _, id := range ids {
		where[id] = ps.leads(id)
		shared[id] = slices.ContainsFunc(where[id], func(p *someone) bool { return !ps.areOne(p, where[id][0]) })
	}
	for _, id := range ids {
		if len(where[id]) > 0 && !shared[id] && !slices.Contains(where[id], target) { // a shared identifier joins nobody
			target = ps.joined(target, where[id][0].now(), id, ids)
		}
	}
	if target == nil {
		target = &someone{ids: map[string]bool{}, seen: map[string]bool{}, groups: map[string]bool{}, over: map[string]int{}}
		ps.all = append(ps.all, target)
	}
	var kept []string
	for _, id := range ids {
		if found := ps.leads(id); leadsToOneAtMost(id) && len(found) > 0 && found[0] != target {
			continue // it stays where it was
		}
		if ps.take(target, id) {
			kept = append(kept, id)
		}
	}
	if c.previous != "" {
		target = ps.alias(target, c.previous, kept)
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

// take gives a person an identifier, unless they have too many of its key.
func (ps *everybody) take(p *someone, id string) bool {
	has := held(ps.together(p), keyOf(id))
	if !has[id] && len(has) >= ps.limit {
		p.over[keyOf(id)]++
		return false
	}
	p.ids[id] = true
	return true
}

func rank(id string) int {
	if i := slices.Index(strength, keyOf(id)); i >= 0 {
		return i
	}
	return len(strength)
}

// saw: a call is known by the person that its strongest identifier leads to;
// where that may be several, by one that all of its identifiers lead to. One
// that would be told now of somebody who has too many identifiers to get those
// that do not lead there was told of them before.
func (ps *everybody) saw(ids []string, message string) bool {
	saw := func(p *someone) bool {
		return slices.ContainsFunc(ps.together(p), func(p *someone) bool { return p.seen[message] })
	}
	leads := func(p *someone, id string) bool { return held(ps.together(p), keyOf(id))[id] }
	if slices.ContainsFunc(ps.leads(ids[0]), func(p *someone) bool {
		return saw(p) && (leadsToOneAtMost(ids[0]) || !slices.ContainsFunc(ids, func(id string) bool { return !leads(p, id) }))
	}) {
		return true
	}
	p := ps.strongest(ids)
	return p != nil && saw(p) && !slices.ContainsFunc(ids, func(id string) bool {
		return !leads(p, id) && !(leadsToOneAtMost(id) && len(ps.leads(id)) > 0) && len(held(ps.together(p), keyOf(id))) < ps.limit
	})
}

// strongest decides between people first, then which of those that are taken
// for one it is.
func (ps *everybody) strongest(ids []string) *someone {
	among := strongestOf(ids, ps.leads, ps.areOne)
	if len(among) == 0 {
		return nil
	}
	one := slices.MinFunc(among, func(a, b *someone) int { return ps.ageOf(a) - ps.ageOf(b) })
	among = strongestOf(ids, func(id string) []*someone {
		return slices.DeleteFunc(ps.leads(id), func(p *someone) bool { return !ps.areOne(p, one) })
	}, func(a, b *someone) bool { return a == b })
	return among[0]
}

func strongestOf(ids []string, leads func(string) []*someone, same func(a, b *someone) bool) (among []*someone) {
	for _, id := range ids {
		found := leads(id)
		if among == nil {
			among = found
			continue
		}
		var both []*someone
		for _, p := range among {
			if slices.ContainsFunc(found, func(f *someone) bool { return same(f, p) }) {
				both = append(both, p)
			}
		}
		if len(both) > 0 {
			among = both
		}
	}
	return among
}

// joined is the target after what leads to p was told with it.
func (ps *everybody) joined(target, p *someone, id string, ids []string) *someone {
	if p == target {
		return target
	}
	a, b := []*someone{target}, []*someone{p}
	if target == nil || !ps.areOne(target, p) {
		if !ps.mayTake(p, ids) {
			return target
		}
		if target == nil {
			return p
		}
		a, b = ps.together(target), ps.together(p)
	}
	if len(held(a, "user_id")) > 0 && len(held(b, "user_id")) > 0 {
		return target
	}
	return ps.merge(target, p, id)
}

// alias joins whom the previous id leads to, whatever they hold.
func (ps *everybody) alias(target *someone, previous string, kept []string) *someone {
	for _, id := range []string{"user_id=" + previous, "anonymous_id=" + previous} {
		if slices.Contains(kept, id) {
			return target
		}
		if found := ps.leads(id); len(found) > 0 {
			if found[0] != target {
				target = ps.merge(target, found[0], "alias "+id)
			}
			return target
		}
	}
	ps.take(target, "anonymous_id="+previous)
	return target
}

// merge keeps the older of two, unless they had too many identifiers then or an
// open request stops it.
func (ps *everybody) merge(a, b *someone, by string) *someone {
	if !ps.areOne(a, b) {
		both := append(ps.together(a), ps.together(b)...)
		for _, key := range []string{"user_id", "clevertap_id", "anonymous_id", "email", "hubspot_id"} {
			if len(held(both, key)) > ps.limit {
				a.apart++
				b.apart++
				return a
			}
		}
	}
	if a.open || b.open {
		ps.refuse(a, b, by)
		return a
	}
	return ps.mergeNow(a, b, by)
}

func (ps *everybody) mergeNow(a, b *someone, by string) *someone {
	keep, drop := a, b
	if slices.Index(ps.all, b) < slices.Index(ps.all, a) {
		keep, drop = b, a
	}
	maps.Copy(keep.ids, drop.ids)
	maps.Copy(keep.seen, drop.seen)
	maps.Copy(keep.groups, drop.groups)
	for key, n := range drop.over {
		keep.over[key] += n
	}
	keep.apart += drop.apart
	keep.merges = append(append(keep.merges, drop.merges...), by)
	keep.records += drop.records
	drop.into = keep
	ps.all = slices.DeleteFunc(ps.all, func(p *someone) bool { return p == drop })
	var moved []refusedMerge
	ps.refused = slices.DeleteFunc(ps.refused, func(r refusedMerge) bool {
		if r.a == drop || r.b == drop {
			moved = append(moved, r)
			return true
		}
		return false
	})
	for _, r := range moved {
		if a, b := r.a.now(), r.b.now(); a != b {
			ps.refuse(a, b, r.by)
		}
	}
	return keep
}

// refuse keeps the first of several between the same two, unless only a later
// one is an alias.
func (ps *everybody) refuse(a, b *someone, by string) {
	for i, r := range ps.refused {
		if r.a == a && r.b == b || r.a == b && r.b == a {
			if isAlias(by) && !isAlias(r.by) {
				ps.refused[i].by = by
			}
			return
		}
	}
	ps.refused = append(ps.refused, refusedMerge{a, b, by})
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
	for _, r := range again {
		switch a, b := p.now(), r.b.now(); {
		case a == b:
		case a.open || b.open:
			ps.refuse(a, b, r.by)
		default:
			ps.mergeNow(a, b, r.by)
		}
	}
}

// erased takes away everybody whose request is open.
func (ps *everybody) erased() {
	ps.refused = slices.DeleteFunc(ps.refused, func(r refusedMerge) bool { return r.a.open || r.b.open })
	ps.all = slices.DeleteFunc(ps.all, func(p *someone) bool { return p.open })
}

// lines says who is who, and what became of each on the way.
func (ps *everybody) lines() (all []string) {
	for _, p := range ps.all {
		all = append(all, p.line()+fmt.Sprint(", joined by ", slices.Sorted(slices.Values(p.merges)), ", over the limit ", p.over, p.apart))
	}
	slices.Sort(all)
	return all
}

// people says who is who, and nothing of the way.
func (ps *everybody) people() (all []string) {
	for _, p := range ps.all {
		all = append(all, p.line())
	}
	slices.Sort(all)
	return all
}

func (p *someone) line() string {
	return line(slices.Sorted(maps.Keys(p.ids)), p.records, len(p.merges), len(p.groups))
}

package views

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// heldValue is an identifier with every source that gave it, as the first gave it.
type heldValue struct {
	Key, Value      string
	Sources         []string
	Shared, Damaged bool
	New             bool        // or newly shared
	Others          []uuid.UUID // see [erasure.HeldIdentifier]
	More            int
}

// byValue gathers a profile's identifiers, which each source gives anew: the
// strongest keys first, of the values of a key what is new first, else in the
// order in which they stand.
func byValue(p erasure.Profile) (values []heldValue) {
	at := map[[2]string]int{}
	for _, id := range p.Identifiers {
		i, known := at[[2]string{id.Key, id.Normalised}]
		if !known || id.Damaged { // nobody can tell what a damaged one is
			i = len(values)
			if !id.Damaged {
				at[[2]string{id.Key, id.Normalised}] = i
			}
			values = append(values, heldValue{Key: id.Key, Value: id.Value, Damaged: id.Damaged})
		}
		v := &values[i]
		v.Shared = v.Shared || id.Shared
		v.New = v.New || id.New || id.NewlyShared
		if id.Shared {
			v.Others, v.More = id.Others, id.More
		}
		if !slices.Contains(v.Sources, id.Source) {
			v.Sources = append(v.Sources, id.Source)
		}
	}
	strength := func(v heldValue) int { return erasure.KeyOf(p.Table, v.Key).Strength }
	slices.SortStableFunc(values, func(a, b heldValue) int {
		return cmp.Or(cmp.Compare(strength(b), strength(a)), cmp.Compare(a.Key, b.Key), newFirst(a.New, b.New))
	})
	return values
}

func newFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// heldKey is what a page lists of one key's values.
type heldKey struct {
	Key    string
	Values []heldValue
	Rest   []heldValue // that are not listed at first
}

// listed is how many values of a key are listed. A few of each say whose
// profile it is, and of cookies and devices there may be many. The rest opens,
// up to another number.
const (
	listed = 20
	opened = 1000
)

// byKey groups what [byValue] gives, so many values of each key listed.
func byKey(values []heldValue, listed int) (keys []heldKey) {
	for len(values) > 0 {
		n := 1
		for n < len(values) && values[n].Key == values[0].Key {
			n++
		}
		shown := min(n, listed)
		keys = append(keys, heldKey{values[0].Key, values[:shown], values[shown:n]})
		values = values[n:]
	}
	return keys
}

// byName lists a profile's sources, each once: of one that told of several
// profiles that are joined by now, what it told of each is added up. What it
// gave twice counts once, as far as that is known.
func byName(p erasure.Profile) (sources []erasure.Source) {
	gave := map[string]int{}
	for _, v := range byValue(p) {
		for _, name := range v.Sources {
			gave[name]++
		}
	}
	for _, s := range p.Sources {
		i := slices.IndexFunc(sources, func(known erasure.Source) bool { return known.Name == s.Name })
		if i < 0 {
			s.Years = maps.Clone(s.Years)
			sources = append(sources, s)
			continue
		}
		sum := &sources[i]
		sum.Identifiers += s.Identifiers
		sum.Traits += s.Traits
		sum.Records += s.Records
		for year, n := range s.Years {
			if sum.Years == nil {
				sum.Years = map[int]int{}
			}
			sum.Years[year] += n
		}
		if s.FirstAt.Before(sum.FirstAt) {
			sum.FirstAt = s.FirstAt
		}
		if s.LastAt.After(sum.LastAt) {
			sum.LastAt = s.LastAt
		}
	}
	for i, s := range sources {
		if n := gave[s.Name]; n > 0 {
			sources[i].Identifiers = n
		}
	}
	return sources
}

func sourceNames(p erasure.Profile) string {
	var names []string
	for _, s := range byName(p) {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// identifierCount is known without opening one.
func identifierCount(p erasure.Profile) int {
	n := 0
	for _, s := range p.Sources {
		n += s.Identifiers
	}
	return n
}

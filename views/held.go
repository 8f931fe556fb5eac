package views

import (
	"cmp"
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
	Others          []uuid.UUID // see [erasure.HeldIdentifier]
	More            int
}

// byValue gathers a profile's identifiers, which each source gives anew: the
// strongest keys first, the values of a key in the order in which they stand.
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
		if id.Shared {
			v.Others, v.More = id.Others, id.More
		}
		if !slices.Contains(v.Sources, id.Source) {
			v.Sources = append(v.Sources, id.Source)
		}
	}
	strength := func(v heldValue) int { return erasure.KeyOf(p.Table, v.Key).Strength }
	slices.SortStableFunc(values, func(a, b heldValue) int {
		return cmp.Or(cmp.Compare(strength(b), strength(a)), cmp.Compare(a.Key, b.Key))
	})
	return values
}

// heldKey is what a page lists of one key's values.
type heldKey struct {
	Key    string
	Values []heldValue
	More   int // that are not listed
}

// listed is how many values of a key are listed. A few of each say whose
// profile it is, and of cookies and devices there may be thousands.
const listed = 20

// byKey groups what [byValue] gives.
func byKey(values []heldValue) (keys []heldKey) {
	for len(values) > 0 {
		n := 1
		for n < len(values) && values[n].Key == values[0].Key {
			n++
		}
		shown := min(n, listed)
		keys = append(keys, heldKey{values[0].Key, values[:shown], n - shown})
		values = values[n:]
	}
	return keys
}

func sourceNames(p erasure.Profile) string {
	var names []string
	for _, s := range p.Sources {
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

package views

import (
	"slices"
	"strings"

	"github.com/efface/efface/store/erasure"
)

// heldValue is an identifier with every source that told it.
type heldValue struct {
	Key, Value string
	Sources    []string
	Shared     bool
}

// byValue gathers a profile's identifiers, which each source tells anew, in
// the order in which they first stand.
func byValue(identifiers []erasure.HeldIdentifier) []heldValue {
	var values []heldValue
	for _, id := range identifiers {
		i := slices.IndexFunc(values, func(v heldValue) bool { return v.Key == id.Key && v.Value == id.Value })
		if i < 0 {
			values = append(values, heldValue{Key: id.Key, Value: id.Value})
			i = len(values) - 1
		}
		values[i].Shared = values[i].Shared || id.Shared
		if !slices.Contains(values[i].Sources, id.Source) {
			values[i].Sources = append(values[i].Sources, id.Source)
		}
	}
	return values
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

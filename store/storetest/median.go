package storetest

import (
	"cmp"
	"slices"
)

// Median sorts measurements, of which there must be one at least, and returns
// the middle one.
func Median[T cmp.Ordered](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

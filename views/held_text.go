package views

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// heldByKey says how many values of each key there are: "2 E-mail, 1 Phone".
func heldByKey(p erasure.Profile) string {
	var all []string
	for _, k := range byKey(byValue(p), listed) {
		all = append(all, number(len(k.Values)+len(k.Rest))+" "+keyText(k.Key))
	}
	return strings.Join(all, ", ")
}

// yearCounts says how many records are of which year, the newest first.
func yearCounts(years map[int]int) string {
	var all []string
	for _, year := range slices.Backward(slices.Sorted(maps.Keys(years))) {
		name := fmt.Sprint(year)
		if year == 0 {
			name = "no plausible year"
		}
		all = append(all, name+": "+number(years[year]))
	}
	return strings.Join(all, ", ")
}

func allYears(p erasure.Profile) map[int]int {
	years := map[int]int{}
	for _, s := range p.Sources {
		for year, n := range s.Years {
			years[year] += n
		}
	}
	return years
}

func traitCount(p erasure.Profile) int {
	n := 0
	for _, s := range p.Sources {
		n += s.Traits
	}
	return n
}

// otherCount is how many other profiles an identifier leads to.
func otherCount(v heldValue) int { return len(v.Others) + v.More }

// sharedText says of an identifier that it leads to other profiles too. kept
// says that those keep it. To how many is not read everywhere.
func sharedText(v heldValue, kept bool) string {
	n := otherCount(v)
	text, keeps := "Also leads to another profile", ", which keeps it"
	if n > 1 {
		text, keeps = "Also leads to "+atLeast(n)+" other profiles", ", which keep it"
	}
	if kept {
		text += keeps
	}
	return text
}

// atLeast writes a number that a thousand stands for where it is more.
func atLeast(n int) string {
	if n >= 1000 {
		return "1,000 or more"
	}
	return number(n)
}

// sharedCounts says how many identifiers other profiles keep, and how many
// those are; more says that there are others besides.
func sharedCounts(p erasure.Profile) (identifiers, profiles int, more bool) {
	others := map[uuid.UUID]bool{}
	for _, v := range byValue(p) {
		if !v.Shared {
			continue
		}
		identifiers++
		more = more || v.More > 0
		for _, id := range v.Others {
			others[id] = true
		}
	}
	return identifiers, len(others), more
}

func sharedStays(p erasure.Profile) string {
	identifiers, profiles, more := sharedCounts(p)
	text := "1 identifier of these: it is erased from this " + noun(p.Table) + " and still leads to "
	if identifiers > 1 {
		text = count(identifiers, "identifier") + " of these: they are erased from this " + noun(p.Table) + " and still lead to "
	}
	if more {
		text += "at least "
	}
	return text + count(profiles, "other profile")
}

// overLimitText counts what was over the limit: identifiers that were not kept,
// and profiles that were not joined.
func overLimitText(o erasure.OverLimit) string {
	var times []string
	if o.Refused > 0 {
		times = append(times, "not kept "+timesText(o.Refused))
	}
	if o.Apart > 0 {
		times = append(times, "not joined with another profile "+timesText(o.Apart))
	}
	return keyText(o.Key) + ": " + strings.Join(times, ", ")
}

func timesText(n int) string {
	if n == 1 {
		return "once"
	}
	return number(n) + " times"
}

// graphText says what the picture of a profile's graph shows.
func graphText(p erasure.Profile) string {
	text := count(len(byValue(p)), "identifier") + " from " + count(len(byName(p)), "source") + "."
	if n, profiles, more := sharedCounts(p); n > 0 {
		text += " " + count(n, "identifier") + " shared with "
		if more {
			text += "at least "
		}
		text += count(profiles, "other profile") + "."
	}
	return text
}

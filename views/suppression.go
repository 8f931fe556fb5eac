package views

import (
	"strings"

	"github.com/efface/efface/store/erasure"
)

// SuppressionsPage is what may not be collected again. Its form posts to
// /suppressions/check: table, key, value, region.
type SuppressionsPage struct {
	Form    FindForm
	Checked *Checked // what was just asked; nil where nothing was
	Totals  erasure.SuppressionTotals
	List    []erasure.Suppressed
	Next    string // URL of the page after; "" is the last
}

// Checked is the answer about one identifier.
type Checked struct {
	Suppression *erasure.Suppression // nil where it is not suppressed
}

// LiftForm posts to /suppressions/lift/confirm: fingerprint, request, reason, reference.
type LiftForm struct {
	Reason    erasure.LiftReason
	Reference string
	Problems  Problems
}

func liftText(r erasure.LiftReason) string {
	switch r {
	case erasure.LiftShared:
		return "Another profile has the identifier too"
	case erasure.LiftAsked:
		return "Whoever it belongs to asked for it"
	case erasure.LiftMistake:
		return "It should not have been suppressed"
	}
	return string(r)
}

// cameBack says how often data tried to come back, when last, and what became
// of it.
func cameBack(p Page, r erasure.Returns, t erasure.Table) string {
	whose := "this " + noun(t) + "'s data"
	var became string
	switch {
	case r.Dropped+r.Trimmed == 0:
		return "Nothing of " + whose + " has tried to come back since the erasure."
	case r.Trimmed == 0:
		became = "all of it was dropped."
	case r.Dropped == 0:
		became = "the suppressed identifiers were left out of " + count(r.Trimmed, "call") + ", and the rest was kept."
	default:
		became = count(r.Dropped, "call") + " " + wereText(r.Dropped) + " dropped; the suppressed identifiers were left out of " +
			number(r.Trimmed) + ", and the rest was kept."
	}
	return "Since the erasure " + whose + " tried to come back " + count(r.Dropped+r.Trimmed, "time") + ", last on " + p.stampText(r.LastAt) + "; " + became
}

func wereText(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// liftedText says that what was suppressed is collected again in part.
func liftedText(p Page, s erasure.Suppressed) string {
	return "The suppression of " + count(s.Lifted, "identifier") + " was lifted, last on " + p.stampText(s.LiftedAt) +
		": data that comes with it since may have been collected."
}

// keyCounts names the keys of what is suppressed, with how many there are of
// one that has several.
func keyCounts(keys []erasure.SuppressedKey) string {
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = keyText(k.Key)
		if k.Count > 1 {
			texts[i] = number(k.Count) + "\u00a0×\u00a0" + texts[i]
		}
	}
	return strings.Join(texts, ", ")
}

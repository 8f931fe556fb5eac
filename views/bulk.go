package views

import (
	"strings"
	"time"

	"github.com/efface/efface/store/erasure"
)

// BulkForm posts to /bulk as multipart/form-data: table, region, reference,
// reason, suppress (value "yes") and last file, so that the server knows what
// a line means when it comes.
type BulkForm struct {
	Table     erasure.Table
	Region    string
	Reference string
	Reason    string
	Suppress  bool
	Default   string                     // the country that the store reads a number in where none is chosen
	Kept      time.Duration              // for which fingerprints are kept with Suppress
	Keys      map[erasure.Table][]string // that a column may be named after
	Problems  Problems
}

// BulkPage is a list on its way. Checked, it posts to /bulk/{id}: confirm; to
// give it up to /bulk/{id}/discard, no field.
type BulkPage struct {
	List    erasure.Bulk
	Confirm string
	Window  time.Duration // in which its requests may be cancelled once they are made
	// Remaining is for how long the batch may still be cancelled; 0 where that
	// is over.
	Remaining time.Duration
	// Poll is the URL of [BulkStage], asked for every Every. "" where nothing
	// of it will change.
	Poll     string
	Every    time.Duration
	Turned   bool // the stage is another than the page showed before
	Problems Problems
}

// BulkCancelForm posts to /bulk/{id}/cancel: confirm.
type BulkCancelForm struct {
	Count    int // of requests, to be typed; 0 where none can be cancelled
	Confirm  string
	Kept     time.Duration // for which identifiers and reasons stay after a cancel
	Problems Problems
}

func bulkPath(id erasure.BatchID) string { return "/bulk/" + id.String() }

func (b BulkPage) trigger() string { return "every " + b.Every.Round(time.Second).String() }

// Number writes n as the pages do, with a comma between groups of three digits.
func Number(n int) string { return number(n) }

// said tells in one sentence what stage a list has come to.
func (b BulkPage) said() string {
	switch b.List.Stage {
	case erasure.Checked:
		return "The list is checked. It leads to " + count(b.List.Found.Matched, "profile") + " that can be deleted."
	case erasure.Queueing:
		return "The list is confirmed and is being queued."
	case erasure.Done:
		return doneTitle(*b.List.Batch) + "."
	}
	return ""
}

func stageText(b erasure.Bulk) string {
	switch b.Stage {
	case erasure.Checking:
		return "Being checked"
	case erasure.Checked:
		if b.Found.Matched == 0 {
			return "Nothing to confirm"
		}
		return "To be confirmed"
	case erasure.Queueing:
		return "Being queued"
	}
	return "Confirmed"
}

func doneTitle(b erasure.Batch) string {
	erased := b.In[erasure.Completed]
	switch n := b.Queued(); {
	case n == 0:
		return "Nothing was requested"
	case n == b.In[erasure.Cancelled]:
		return "The batch is cancelled"
	case n == erased+b.In[erasure.Cancelled]:
		return "Erased " + count(erased, "profile")
	default:
		return "Deletion requested for " + count(n, "profile")
	}
}

// foundRow is a line of the table of what a list leads to.
type foundRow struct {
	name, meaning string
	lines         int
}

func foundRows(f erasure.BulkFound) []foundRow {
	return []foundRow{
		{"Matched", "Leads to one profile, whose deletion is requested once the list is confirmed", f.Matched},
		{"Not found", "Leads to nobody; nothing happens", f.NotFound},
		{"Duplicate", "Leads where an earlier line of the list led, or says the same", f.Duplicates},
		{"Shared", "Leads to several profiles and is left out; find them and request each deletion by itself", f.Shared},
		{"Already requested", "Leads to a profile whose deletion is requested already; if its people are not to be collected again, that is added to the request", f.AlreadyRequested},
		{"Refused", "Cannot be read as an identifier", f.Refused},
	}
}

// wasChecked tells a list from one that a script sent, which nobody confirms.
func wasChecked(f erasure.BulkFound) bool {
	for _, row := range foundRows(f) {
		if row.lines > 0 {
			return true
		}
	}
	return false
}

func foundTitle(list erasure.Bulk) string {
	if list.Batch != nil {
		return "What the list led to when it was checked"
	}
	return "What the list leads to"
}

func keyList(keys []string) string { return strings.Join(keys, ", ") }

package views

import (
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// RequestPage is a request on its way. It shows what is sealed of it only as
// it was opened when the page was asked for: a poll opens nothing.
type RequestPage struct {
	Request erasure.Request
	// Suppresses is set where the request, or one that is carried out with it, asks
	// that the data is not collected again.
	Suppresses bool
	// Suppressed is what may not be collected since the erasure began; nil
	// where that was not chosen, or it has not begun.
	Suppressed *erasure.Suppressed
	HeldUp     []uuid.UUID        // User IDs of those kept from merging with the one it is about
	Entries    []erasure.Activity // what it went through, as the log has it
	Confirmed  bool               // by this operator, just now
	// Poll is the URL of [RequestProgress], asked for every Every. "" where
	// nothing of it will change.
	Poll   string
	Every  time.Duration
	Polled bool // the page is there already, and takes the parts that changed
	Turned bool // the state is another than the page showed before
}

func (r RequestPage) trigger() string { return "every " + r.Every.Round(time.Second).String() }

package erasure

import "time"

// Limits of a list of people to be erased.
const (
	BulkSize  = 100 << 20 // bytes of a list, unpacked
	BulkLines = 100_000   // lines of a list that a script sends in one call
	ListLines = 5_000_000 // lines of any list: to check one takes some 150 bytes of memory a line
)

// BulkLife is for how long a list waits to be confirmed, by the store's time.
// It is destroyed then.
const BulkLife = 24 * time.Hour

// Line is one line of a list of people to be erased.
type Line struct {
	N         int // its number in what was sent, from 1; a CSV's header is line 1
	Asked     Identifier
	Reason    string // 1,000 characters at most, erased with the person; "" is that of the list
	Reference string // see [CheckReference]; "" is that of the list
	Suppress  bool   // or that of the list
	// Refused says in one sentence, without anybody's data, why nobody can be
	// asked for by this line. "" where that can be done.
	Refused string
}

// LineResult is what became of one line. It says nothing of whom it was about.
type LineResult struct {
	Line    int
	Outcome BatchOutcome
	Request *RequestID // made by this line or open before it; nil where there is none
	Matches int        // profiles that a shared identifier leads to
	Detail  string     // one sentence that says what to do, where nothing was queued
}

// NewBulk begins a list of people to be erased.
type NewBulk struct {
	Origin    Origin
	Actor     Actor
	Reason    string // for lines that give none
	Reference string
	Suppress  bool
}

// Stage is how far a list has got.
type Stage string

// The stages. A list that a script sends goes from [Receiving] to [Queueing].
//
//	receiving ─► checking ─► checked ─► queueing ─► done
//
// Until it is queueing a list can be given up, and is then as if it had never
// been sent. From then on it is a batch, and a cancel of that ends the queueing.
const (
	Receiving Stage = "receiving"
	Checking  Stage = "checking"
	Checked   Stage = "checked"
	Queueing  Stage = "queueing"
	Done      Stage = "done"
)

// Bulk is a list of people to be erased.
type Bulk struct {
	ID        BatchID // of the batch that it becomes
	Stage     Stage
	Actor     Actor // who sent it, or confirmed it
	Reference string
	Suppress  bool
	SentAt    time.Time
	Expires   time.Time // by when it is to be confirmed; zero once it is

	Attempts int // of the present stage that failed, one after the other

	Lines int // in the list
	Done  int // of them, how many the present stage has been through
	// Found is what looking its lines up came to. It is complete from
	// [Checked] on, and stays as it was.
	Found BulkFound
	Batch *Batch // nil until it is confirmed
}

// BulkFound counts the lines of a list by what they lead to. Each line counts
// once, in the first of these that fits, from the last to the first.
type BulkFound struct {
	Matched          int // profiles that would be asked for
	AlreadyRequested int // lead to a profile with an open request
	Shared           int // lead to several profiles
	NotFound         int
	Duplicates       int // lead where an earlier line led, or say what it said
	Refused          int
	Refusals         []Refusal // the first hundred of them
}

// Refusal is a line that cannot be asked for, and why.
type Refusal struct {
	Line   int    `json:"line"`
	Detail string `json:"detail"`
}

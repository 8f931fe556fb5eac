package erasure

import "time"

// NewBatch asks for the erasure of everyone that several identifiers lead to.
type NewBatch struct {
	Asked      []Identifier
	EveryMatch bool // take each profile that a shared identifier leads to; else refuse it
	Unknown    bool // accept identifiers that nothing is known of
	Unnamed    bool // no answer names the batch: none is kept where nothing is queued
	Origin     Origin
	Actor      Actor
	Reason     string // 1,000 characters at most, erased with each person
	Reference  string // see [CheckReference]
	Suppress   bool
}

// Batch is requests made together.
type Batch struct {
	ID        BatchID
	Origin    Origin
	Actor     Actor
	Reference string
	// RequestedBy is as in [Request].
	RequestedBy string
	RequestedAt time.Time
	// UpdatedAt is when it was asked for, or the last of its requests ended.
	UpdatedAt time.Time

	Requested int // identifiers that it was given
	Matched   int // of them, that led to somebody
	// In counts its requests by where they stand. Those that were open before
	// it are not its own.
	In map[State]int
	// Nobody is how many of the completed ones were for whom nobody was known:
	// they erased nothing.
	Nobody int
}

// Queued is how many requests the batch made, whatever became of them.
func (b Batch) Queued() (n int) {
	for _, of := range b.In {
		n += of
	}
	return n
}

// BatchOutcome is what a batch made of one identifier.
type BatchOutcome string

// The outcomes, in the words of Efface's own API.
const (
	Queued           BatchOutcome = "queued"
	AlreadyRequested BatchOutcome = "already_requested" // by an open request, of this batch or before it
	NotFound         BatchOutcome = "not_found"
	Shared           BatchOutcome = "shared" // and the batch takes no shared ones
	Refused          BatchOutcome = "invalid"
)

// BatchResult is what a batch made of one of its identifiers.
type BatchResult struct {
	Outcome BatchOutcome
	Matches int // profiles that the identifier leads to
	// Requests are those that were made, or were open already: one for each
	// profile that the identifier leads to.
	Requests []RequestID
	Detail   string // one sentence that says what to do, where nothing was queued
}

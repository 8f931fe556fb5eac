package erasure

import "time"

// Status is what pages, /readyz and metrics tell of a running store, so that
// whoever runs it at night learns of what is wrong.
type Status struct {
	// Waiting is for how long overwritten keys have waited for an open reader
	// of the keyring's log; zero where none do.
	Waiting time.Duration
	// Held is for how long claims still wait because of a clock that jumped.
	Held time.Duration
	// Tests is what became of the test persons.
	Tests TestPersons
	// Hits is of how many open requests the check after the deletion found
	// something that should be gone.
	Hits    int64
	Witness Witness
}

// Witness is how the store's witness stands.
type Witness struct {
	Dir   string
	Lacks int64 // log entries that it does not have yet
	// Beside is whether it stands on the disk of the data: then nobody notices
	// where the whole disk is rolled back.
	Beside   bool
	Compared time.Time // when all of it was last compared with the store; zero where it was not since the start
	Misfit   string    // in what they differ, and what to do, in a sentence; "" where they fit
}

// Gauges are the figures of a store that is watched.
type Gauges struct {
	Status
	At       time.Time     // when they were read
	Requests map[State]int // every request by its state
	Due      int           // pending requests whose window has passed, [MostDue] at most
	// Overdue is for how long the oldest open request has been due; zero
	// where none is.
	Overdue time.Duration
	Returns Returns // calls that came with what is suppressed, ever

	Planted  time.Time // when the newest test person was made up; as below zero where never
	Erased   time.Time // when they were erased
	Signed   int64     // how many log entries the newest checkpoint signs
	SignedAt time.Time // when it did
	Scrubbed time.Time // when traces of deleted rows were last cleared
	Swept    time.Time // when keys that nothing names were last destroyed
	BackedUp time.Time // when the last backup was made
	Schema   int
	Disks    []Disk
}

// MostDue is from how many on due requests are not counted.
const MostDue = 1000

// Disk is one that holds something of a store.
type Disk struct {
	Of         string // data, keyring or witness
	Dir        string
	Free, Size uint64 // bytes
	Low        bool   // lists are refused for want of room
}

// Part is a part of a store that may be out of reach.
type Part string

// The parts.
const (
	DatabasePart Part = "database"
	KeyringPart  Part = "keyring"
	WitnessPart  Part = "witness"
)

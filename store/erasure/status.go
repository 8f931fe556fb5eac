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

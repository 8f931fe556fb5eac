package erasure

import "time"

// TestPersons is what became of the people whom the server makes up to erase
// them and to search every file for them then.
type TestPersons struct {
	Passed time.Time // when the last one was found nowhere; zero where none was yet
	Failed time.Time // when the last one failed; zero unless it did
	Why    string    // one sentence on how it failed
}

package erasure

import (
	"encoding/hex"
	"time"
)

// Fingerprint names a suppression. It is keyed: nobody can read an identifier
// from it, or make it of one without the store.
type Fingerprint [16]byte

func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// ParseFingerprint reads what [Fingerprint.String] wrote; ok is false for
// anything else.
func ParseFingerprint(s string) (f Fingerprint, ok bool) {
	if len(s) != hex.EncodedLen(len(f)) {
		return f, false
	}
	_, err := hex.Decode(f[:], []byte(s))
	return f, err == nil
}

// Suppression is an identifier that may not be collected again. Its value is
// known to nobody.
type Suppression struct {
	Fingerprint Fingerprint
	Request     RequestID // whose erasure it belongs to
	Table       Table
	Key         string
	Since       time.Time
	Until       time.Time // by the wall clock of now, for it ends by the store's
	SharedAt    time.Time // when it last came with another profile's data; zero where it never has
}

// Suppressed is what is suppressed since one erasure.
type Suppressed struct {
	Request RequestID
	Table   Table
	Keys    []SuppressedKey
	Since   time.Time // zero where nothing is suppressed by now
	Until   time.Time
	Shared  []Suppression // those that came with another profile's data, the latest first, 20 at most
	Returns Returns
	// Lifted is how many of these suppressions somebody has lifted, as far as the
	// log tells by now.
	Lifted   int
	LiftedAt time.Time // the last of them; zero where none was
}

// SuppressedKey is how many identifiers of a key are suppressed.
type SuppressedKey struct {
	Key   string
	Count int
}

// Returns are how often the data of somebody who was erased tried to come back.
type Returns struct {
	Dropped int // calls of which nothing was kept
	Trimmed int // calls of which suppressed identifiers were left out
	LastAt  time.Time
}

// SuppressionTotals are those of the whole store.
type SuppressionTotals struct {
	Identifiers int
	More        bool // there are more identifiers than were counted
	Returns     Returns
}

// LiftReason is why a suppression ends before its time. It is one of a few
// words, for the log keeps it and must hold nothing of a person.
type LiftReason string

// The reasons.
const (
	LiftAsked   LiftReason = "asked"   // the person asked for it
	LiftShared  LiftReason = "shared"  // the identifier is somebody else's too
	LiftMistake LiftReason = "mistake" // it should not have been suppressed
)

// LiftReasons lists the reasons, in the order in which they are offered.
var LiftReasons = []LiftReason{LiftShared, LiftAsked, LiftMistake}

// Lift ends one suppression.
type Lift struct {
	Fingerprint Fingerprint
	Request     RequestID // that suppresses it, as far as who lifts it was told
	Reason      LiftReason
	Reference   string
}

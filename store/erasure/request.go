package erasure

import (
	"time"

	"github.com/google/uuid"
)

// State is where a deletion request stands.
type State string

// The states. How each is entered and left:
//
//	          cancel (pasted ID, inside the window)
//	pending ──────────────────────────────────────► cancelled
//	   │ window passed; claimed by the runner
//	   ▼
//	in_progress ── keys destroyed ── rows deleted ─► completed
//	   │  ▲
//	   ▼  │ retried with backoff, for as long as it takes
//	 failed
//
// A restore that brings rows of a completed one back puts it in progress again.
const (
	Pending    State = "pending"
	InProgress State = "in_progress"
	Completed  State = "completed"
	Failed     State = "failed"
	Cancelled  State = "cancelled"
)

// States lists every state in the order pages show them.
var States = []State{Pending, InProgress, Failed, Completed, Cancelled}

// Open reports whether a request in this state still has work before it.
func (s State) Open() bool { return s == Pending || s == InProgress || s == Failed }

var moves = map[State][]State{
	"":         {Pending},
	Pending:    {InProgress, Cancelled},
	InProgress: {Failed, Completed},
	Failed:     {InProgress, Completed},
	Completed:  {InProgress},
}

// May reports whether a request may go from state s to state t.
func (s State) May(t State) bool {
	for _, to := range moves[s] {
		if to == t {
			return true
		}
	}
	return false
}

// Request is one profile's erasure.
type Request struct {
	ID       RequestID
	Batch    *BatchID
	Table    Table
	EffaceID *uuid.UUID // nil while nobody is known for the identifier asked for
	State    State
	Origin   Origin
	Actor    Actor
	// RequestedBy is the operator's e-mail or "key:NAME", joined when it is
	// read and never stored with the request.
	RequestedBy string
	Reference   string
	Suppress    bool

	RequestedAt  time.Time
	CancelBefore time.Time // wall-clock time shown for the end of the window
	RenewedAt    time.Time // when a restore gave it a new window; zero where none did
	StartedAt    time.Time // zero until claimed
	FinishedAt   time.Time // zero until completed or cancelled
	CheckedAt    time.Time // zero until nothing was found that should be gone
	ClearedAt    time.Time // zero until a scrub cleared the traces of what was erased

	// Counts are what was found when asked, and what was erased once completed.
	Identifiers int
	Records     int

	Attempts  int
	LastError string // one sentence without personal data
	// KeysDestroyedAt is the point of no return: no copy of the data can be
	// read from here on, whether or not its rows are gone. Zero until then.
	KeysDestroyedAt time.Time
	Joined          *RequestID // the request that this one was joined to

	// FromLog is set where a restore has the request from the deletion log alone.
	// Then CancelBefore may be zero, Table is certain only beside an EffaceID,
	// Suppress only where it is true, and no receipt can be made.
	FromLog bool

	// Asked and Reason are sealed under the request's own key and empty once
	// that is destroyed. They are set by DB.RequestDetails alone.
	Asked  Identifier
	Reason string

	// Cancellable reports whether a cancel would still be taken, by the
	// store's time, which decides; Remaining is the time left for it.
	Cancellable bool
	Remaining   time.Duration
}

// NewRequest asks for the erasure of one profile.
type NewRequest struct {
	// EffaceID names the profile, where staff confirmed it by its User ID.
	// Otherwise Asked is looked up.
	EffaceID  *uuid.UUID
	Asked     Identifier
	Unknown   bool // accept an identifier that nothing is known of
	Origin    Origin
	Actor     Actor
	Reason    string // 1,000 characters at most, erased with the person
	Reference string // see [CheckReference]
	Suppress  bool
	Batch     *BatchID
	// Seen is [Profile.Seen] of whoever confirmed: where more came since, the
	// request is refused. nil asks without it.
	Seen *string
}

// RequestFilter chooses requests for the Deletion Logs and the APIs' lists.
type RequestFilter struct {
	State  State
	Origin Origin
	From   time.Time // requested at or after
	To     time.Time // requested before
	Q      string    // request id, batch id, User ID or reference, exactly
	Cursor string    // from the page before
	Limit  int       // 1 to 500; 0 is 50
}

// ReferenceLength is how long a reference may be, in characters.
const ReferenceLength = 64

// CheckReference refuses what is not a ticket number: a reference stays after
// the erasure, so its alphabet leaves no room for an e-mail address.
func CheckReference(s string) error {
	if len(s) > ReferenceLength {
		return Errorf(CodeInvalid, "Shorten the reference to %d characters.", ReferenceLength).In("reference")
	}
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		case r == '.', r == '_', r == '/', r == '#', r == '-':
		default:
			return Errorf(CodeInvalid, "Use only letters A to Z, digits and . _ / # - in the reference.").In("reference")
		}
	}
	return nil
}

// ReasonLength is how long a reason may be, in characters.
const ReasonLength = 1000

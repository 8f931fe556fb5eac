// Package erasure holds the words of the domain: profiles, identifiers,
// deletion requests and their states, log entries, operators and API keys,
// and the pure rules between them. It knows neither SQL nor HTTP.
package erasure

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Table says what a profile is about. The word is Lytics'.
type Table string

// The two tables.
const (
	User  Table = "user"
	Group Table = "group"
)

// ParseTable reads a table's name; the empty string is [User].
func ParseTable(s string) (Table, error) {
	switch Table(s) {
	case "", User:
		return User, nil
	case Group:
		return Group, nil
	}
	return "", Errorf(CodeInvalid, "Choose the table %q or %q.", User, Group)
}

// Identifier is a key and a value, such as email = ann@example.com, that
// leads to a profile. Value is as it was given; Region is an optional
// ISO 3166 country for a phone number in its national form.
type Identifier struct {
	Table  Table
	Key    string
	Value  string
	Region string
}

// Profile is what may be shown of a person or an account. Its identifiers
// are opened for the one answer they are shown in.
type Profile struct {
	EffaceID    uuid.UUID
	Former      []uuid.UUID // User IDs that led to profiles merged into this one
	Table       Table
	CreatedAt   time.Time
	Identifiers []HeldIdentifier
	Sources     []Source
	Records     int      // events kept, over all sources
	Open        *Request // the open deletion request, if there is one

	Memberships int // of a group its members, of a person their groups; read where it is looked at

	// These, and of an identifier Others and More, are read where one profile is
	// looked at by itself.
	Groups    []uuid.UUID // User IDs of some groups that the person is a member of
	Merges    []Merge     // the newest; all in all as many as there are former User IDs
	Refused   []uuid.UUID // User IDs of some that merge with this one once the request that stops it is cancelled
	OverLimit []OverLimit
	Seen      string // names no part of the profile, and tells whether more of it is held later; see [NewRequest.Seen]
	Unmarked  bool   // more is held than Seen can carry, so not all that came since is marked as new
}

// Merge is one that made a profile: the profile of Other joined that of
// Survivor, whose User ID stayed. Key and Value are the identifier that joined
// them: told together with one's, it led to the other. Value is empty where
// what is stored does not open.
type Merge struct {
	At       time.Time
	Survivor uuid.UUID
	Other    uuid.UUID
	Key      string
	Value    string // as its source gave it
	Alias    bool   // an alias said outright that the two are one
}

// OverLimit tells what a profile did not get, having as many identifiers of a
// key as it may: alone, or together with another that was not joined with it.
type OverLimit struct {
	Key     string
	Refused int // how often an identifier was not kept
	Apart   int // how often another profile was not joined
	LastAt  time.Time
	Limit   int // as it is set by now
}

// HeldIdentifier is an identifier of a profile as its source gave it.
type HeldIdentifier struct {
	Key        string
	Value      string
	Normalised string // what it is compared by: values that have it alike are one identifier
	Source     string
	Shared     bool        // it also leads to another profile
	Others     []uuid.UUID // User IDs of some of those, the oldest
	More       int         // how many there are beside Others; a thousand stands for any number
	Damaged    bool        // what is stored does not open, so there is no Value

	// Since the profile was seen: it came, or it came to lead to another profile too.
	New, NewlyShared bool
}

// Source is what one source told of a profile: one fragment's counts.
type Source struct {
	Name        string
	Identifiers int
	Traits      int
	Records     int
	Years       map[int]int // its records by year in UTC; 0 is a time that cannot be
	FirstAt     time.Time   // of its earliest call; by Efface's clock
	LastAt      time.Time
	New         bool // it came since the profile was seen
}

// Origin is the door a request came by.
type Origin string

// The doors.
const (
	Console      Origin = "console"
	API          Origin = "api"
	CustomerLabs Origin = "customerlabs"
	Lytics       Origin = "lytics"
	CleverTap    Origin = "clevertap"
	June         Origin = "june"
	TestPerson   Origin = "test" // made up by the server, to be erased at once
)

// Origins lists the doors that there are, in the order pages show them.
var Origins = []Origin{Console, API, CustomerLabs, Lytics, CleverTap, June, TestPerson}

// ActorKind says what kind of actor an [Actor] is.
type ActorKind string

// The kinds of actor.
const (
	ByOperator ActorKind = "operator"
	ByKey      ActorKind = "key"
	ByTerminal ActorKind = "terminal" // a command run on the server's machine
	BySystem   ActorKind = "system"   // the runner, a sweep, or a rule on what arrived
)

// Actor is who did something: an operator or an API key by its random id,
// never by name or e-mail. ID is the zero UUID for [ByTerminal] and [BySystem].
type Actor struct {
	Kind ActorKind
	ID   uuid.UUID
}

// Terminal is the actor for what a command does: who may read the store's files
// needs no account.
var Terminal = Actor{Kind: ByTerminal}

// System is the actor for what Efface does of itself.
var System = Actor{Kind: BySystem}

// String gives the form used in log entries: the kind and, where there is an
// id, a colon and the id.
func (a Actor) String() string {
	if a.Kind == ByTerminal || a.Kind == BySystem {
		return string(a.Kind)
	}
	return fmt.Sprintf("%s:%s", a.Kind, a.ID)
}

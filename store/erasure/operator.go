package erasure

import (
	"time"

	"github.com/google/uuid"
)

// Role is what an operator may do.
type Role string

// The roles.
const (
	Admin   Role = "admin"    // everything, Settings included
	Staff   Role = "operator" // find, request, cancel, logs and CSV
	Auditor Role = "auditor"  // logs, CSV and activity; never a profile
)

// Roles lists every role in the order pages show them.
var Roles = []Role{Admin, Staff, Auditor}

// Operator is a member of the privacy staff who signs in.
type Operator struct {
	ID         uuid.UUID
	Email      string
	Role       Role
	Disabled   bool
	HasPass    bool // false until a one-time link was used
	CreatedAt  time.Time
	LastSignIn time.Time // zero where there was none
}

// Session is one sign-in of an operator.
type Session struct {
	ID        uuid.UUID // random; not what the cookie holds
	Operator  Operator
	CreatedAt time.Time
	LastSeen  time.Time
	Current   bool // it is the one that asks
}

// Scope is what an API key may do.
type Scope string

// The scopes.
const (
	ScopeCustomerLabs   Scope = "customerlabs"
	ScopeLytics         Scope = "lytics"
	ScopeCleverTap      Scope = "clevertap"
	ScopeJune           Scope = "june"
	ScopeDeletionsWrite Scope = "deletions:write"
	ScopeDeletionsRead  Scope = "deletions:read"
	ScopeProfilesRead   Scope = "profiles:read"
	ScopeIngest         Scope = "ingest"
)

// Scopes lists the scopes that open a route, in the order pages show them. A
// key can be made for no other.
var Scopes = []Scope{ScopeCustomerLabs, ScopeLytics, ScopeCleverTap, ScopeJune, ScopeDeletionsWrite, ScopeDeletionsRead, ScopeProfilesRead, ScopeIngest}

// APIKey is a script's credential. The key itself is shown once and stored
// as its SHA-256.
type APIKey struct {
	ID        uuid.UUID
	Name      string // unique among live keys
	Scopes    []Scope
	AccountID string // a CleverTap key is a pair of account id and passcode
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: live
	LastUsed  time.Time // to the minute; zero: never
}

// EndedAt is since when the key opens nothing; zero while it is live at now.
func (k APIKey) EndedAt(now time.Time) time.Time {
	if k.RevokedAt.IsZero() && !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) {
		return k.ExpiresAt
	}
	return k.RevokedAt
}

// Has reports whether the key carries the scope.
func (k APIKey) Has(s Scope) bool {
	for _, have := range k.Scopes {
		if have == s {
			return true
		}
	}
	return false
}

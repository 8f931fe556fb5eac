// Package views draws the pages. A view takes the domain's types and, where
// it has a form, a small struct that holds what was typed and what was wrong.
package views

import (
	"cmp"
	"time"

	"github.com/efface/efface/store/erasure"
)

// Page is what every page is told of its visitor and its server.
type Page struct {
	Operator erasure.Operator // the zero value where nobody is signed in
	Location *time.Location   // of every time shown
	BaseURL  string           // scheme and host, for lines to copy into a terminal
	Notice   string           // one sentence on what was just done, after a redirect
	Note     bool             // the notice is only to know: nothing succeeded
	Status   erasure.Status   // of which every page tells what is wrong

	KeyringCopies time.Duration // for how long backups of the keyring are kept
}

// signedIn reports whether the page has a navigation to show.
func (p Page) signedIn() bool { return p.Operator.Role != "" }

// Problems are what was wrong with a form. Those whose Field names an input
// are shown beside it too.
type Problems []*erasure.Error

func (ps Problems) of(field string) *erasure.Error {
	for _, p := range ps {
		if p.Field == field {
			return p
		}
	}
	return nil
}

// LoginForm posts to /login: email, password, next.
type LoginForm struct {
	Email    string
	Next     string // the path that sign-in leads back to
	Problems Problems
}

// LinkForm posts to Action, the one-time link's own path, which its GET does
// not use up: email (with AskEmail), password (with AskPassword).
type LinkForm struct {
	Action      string
	Email       string // typed so far, or whose password is set
	AskEmail    bool   // the link sets up the first admin
	AskPassword bool   // otherwise the link signs in
	Problems    Problems
}

// FindForm posts to /find: table, key, value, region. Another table's keys come
// by GET with table alone.
type FindForm struct {
	Path     string // of the page; "" is /find
	Table    erasure.Table
	Key      string
	Value    string
	Region   string
	Keys     []string           // that may be searched by
	Default  string             // the country that the store reads a number in where none is chosen
	None     bool               // nobody was found
	AsTyped  bool               // the value does not parse, and was searched as typed
	ReadAs   string             // E.164, where the value was read as a phone number
	Gone     *erasure.Request   // of the profile that has the User ID searched for
	Named    *erasure.RequestID // the value is no identifier but this
	Problems Problems
}

func (f FindForm) path() string { return cmp.Or(f.Path, "/find") }

// DeleteForm posts to /profiles/{efface_id}/delete: confirm, reason,
// reference, suppress (value "yes"), seen.
type DeleteForm struct {
	Confirm   string
	Reason    string
	Reference string
	Suppress  bool
	Seen      string        // what was shown when the form was first; see [erasure.Profile]
	Window    time.Duration // in which the request may be cancelled
	Kept      time.Duration // for which fingerprints are kept with Suppress
	Problems  Problems
}

// CancelForm posts to /requests/{id}/cancel: confirm.
type CancelForm struct {
	Confirm  string
	Profile  *erasure.Profile // whose request it is; nil where nobody is known or may be shown
	Kept     time.Duration    // for which identifier and reason stay after a cancel
	Problems Problems
}

// LogsFilter is the Deletion Logs' filter as it was typed, also its query.
type LogsFilter struct {
	State, Origin, From, To, Q string
}

// LogsPage is one page of the Deletion Logs.
type LogsPage struct {
	Filter   LogsFilter
	Requests []erasure.Request
	Newest   map[erasure.RequestID]int64 // each one's newest entry in the log but for looks
	LogKey   string                      // the log's public key
	Cursor   string                      // of this page; "" is the newest
	Next     string                      // cursor of the page after; "" is the last
	// Poll is the URL of these rows as a fragment, asked for every Every.
	// "" where no row is open.
	Poll     string
	Every    time.Duration
	Problems Problems
}

// KeyForm posts to /settings/keys: name, scope (repeated), account_id,
// expires (days, "" is never).
type KeyForm struct {
	Name      string
	Scopes    []erasure.Scope
	AccountID string
	Expires   string
	Problems  Problems
}

// MadeKey is a key that was just made, shown this once.
type MadeKey struct {
	Key   erasure.APIKey
	Token string
	Lines []Line // to try it with, one for each scope
}

// API is a door by which scripts ask.
type API struct {
	Name   string
	Routes []APIRoute
}

// APIRoute is one of an API's routes.
type APIRoute struct {
	Method, Path string
	Scope        erasure.Scope
	Does         string // a sentence
	Lines        []Line
}

// Line is a call, ready for a terminal.
type Line struct {
	Scope   erasure.Scope
	Text    string
	Answers string // a part of the answer where the key works; "" where the line may change something
}

// OperatorForm posts to /settings/operators: email, role.
type OperatorForm struct {
	Email    string
	Role     erasure.Role
	Problems Problems
}

// OneTimeLink is a link that was just made, shown this once.
type OneTimeLink struct {
	Email string // whose link it is
	URL   string
	Until time.Time
}

// Setting is one flag of the running server.
type Setting struct {
	Flag     string // --cancel-window
	Variable string // EFFACE_CANCEL_WINDOW
	Value    string
	Meaning  string // one sentence
}

// PasswordForm posts to /account/password: current, password.
type PasswordForm struct {
	Problems Problems
}

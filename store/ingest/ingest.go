// Package ingest turns a CSV row or a Segment-spec call into identifiers,
// traits and a record. It knows neither SQL nor HTTP, keeps nothing but the
// line it is at, and writes nothing anywhere.
package ingest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store/erasure"
)

// Kind is what a call does, in the Segment spec's words.
type Kind string

// The kinds of call.
const (
	Identify Kind = "identify"
	Track    Kind = "track"
	Group    Kind = "group"
	Alias    Kind = "alias"
	Page     Kind = "page"
	Screen   Kind = "screen"
)

// Call is one thing that a source told.
type Call struct {
	Kind   Kind
	Table  erasure.Table // whom Identifiers are about; a group call's are the member's
	Source string

	// Identifiers belong to one profile. There is at least one, each passes
	// [erasure.CheckIdentifier], none stands twice, and no key that allows one
	// value has two.
	Identifiers []erasure.Identifier
	// Traits are those of Identifiers' profile; of the group in a group call.
	// What became an identifier is not among them. Values are compact JSON.
	Traits map[string]jsontext.Value

	// PreviousID, of an alias alone, is the id that Identifiers' profile had.
	PreviousID string
	// GroupID and GroupIdentifiers, of a group call alone, name the account
	// that Traits are about; group_id is the first of GroupIdentifiers.
	GroupID          string
	GroupIdentifiers []erasure.Identifier

	// Record is the event to keep, as JSON; nil where the call is none.
	Record []byte
	// MessageID is the same in a call and its repeats. It is the source's own
	// or, for a line without one, made of all that the line says; empty where
	// a repeat cannot be told. It may hold personal data.
	MessageID string
	At        time.Time // when it happened by the source's clock; zero where that is not told
}

// EventSize is how large one event may be, in bytes: as JSON, and as a row of
// a CSV file, which is one identify call too.
const EventSize = 32 << 10

// LineError is why one line was refused. Reading goes on with the next one.
type LineError struct {
	Line int // counted from 1; where a row spans lines, its first
	Err  *erasure.Error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Err.Sentence) }
func (e *LineError) Unwrap() error { return e.Err }

func refuse(format string, args ...any) *erasure.Error {
	return erasure.Errorf(erasure.CodeInvalid, format, args...)
}

// refusal gives an error its line, where the error is about one.
func refusal(line int, err error) error {
	var e *erasure.Error
	if errors.As(err, &e) {
		return &LineError{Line: line, Err: e}
	}
	return err
}

// CheckSource refuses what cannot name a source. Names are kept in the clear,
// so their alphabet leaves no room for an e-mail address.
func CheckSource(name string) error {
	if name == "" || len(name) > 64 {
		return refuse("Name the source with 1 to 64 characters.").In("source")
	}
	for _, r := range name {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '.', r == '-':
		default:
			return refuse("Use only letters A to Z, digits and _ . - in the source's name.").In("source")
		}
	}
	return nil
}

// SourceOf makes the name of a source out of one that people chose more
// freely, such as that of an API key: itself where it may be one, else what is
// left of it and a digest, so that two names are two sources.
func SourceOf(name string) string {
	if CheckSource(name) == nil {
		return name
	}
	left := strings.Map(func(r rune) rune {
		if CheckSource(string(r)) != nil {
			return '-'
		}
		return r
	}, name)
	digest := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%.47s-%x", left, digest[:8])
}

package erasure

import (
	"errors"
	"fmt"
)

// Code classes an [Error] for callers that answer by kind.
type Code string

// The codes. Each door chooses its own status and words for them.
const (
	CodeInvalid      Code = "invalid"      // the input is wrong, and the sentence says what to do
	CodeNotFound     Code = "not_found"    // nothing matches
	CodeShared       Code = "shared"       // the identifier leads to several profiles
	CodeTooLate      Code = "too_late"     // the cancel window has passed
	CodeNotPending   Code = "not_pending"  // there is nothing pending to cancel
	CodeConflict     Code = "conflict"     // the state changed meanwhile, or a name is taken
	CodeUnauthorized Code = "unauthorized" // no valid credentials
	CodeForbidden    Code = "forbidden"    // credentials without the right
	CodeLimited      Code = "limited"      // too many tries or requests
	CodeTooLarge     Code = "too_large"    // the input is over its limit
)

// Error is an error that people are shown: a code for programs and one
// sentence that says what to do. It never holds a personal value.
type Error struct {
	Code     Code
	Sentence string
	Field    string // the form field it is about, if one is
	Matches  int    // with CodeShared: how many profiles the identifier leads to
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Sentence }

// Errorf makes an [Error] of a code and a sentence.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Sentence: fmt.Sprintf(format, args...)}
}

// In gives the error the name of the form field that it is about.
func (e *Error) In(field string) *Error {
	e.Field = field
	return e
}

// CodeOf returns the code of err, or "" where err is not an [Error].
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

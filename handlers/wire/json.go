package wire

import (
	"errors"
	"reflect"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/efface/efface/store/erasure"
)

// Decode reads a body that keeps to the contract. Wrong types, null included,
// are an [erasure.CodeInvalid] too; its sentences name what the contract names
// and nothing else of the body.
func Decode(body []byte, into any, c erasure.JSONContract) error {
	if err := c.Check(body); err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return wrongType(err, c.Members)
	}
	return nil
}

// wrongType names the member only where the contract does.
func wrongType(err error, m erasure.Members) error {
	s, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return refuse("Send the JSON that this route asks for.")
	}
	name := "the body"
	for part := range s.JSONPointer.Tokens() {
		if held, known := m[part]; known {
			name, m = part, held
		}
	}
	if s.GoType == nil {
		return refuse("Give %s in the form that this route asks for.", name)
	}
	return refuse("Give %s as %s.", name, jsonName(s.GoType.Kind()))
}

func jsonName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a number"
}

func refuse(format string, args ...any) error {
	return erasure.Errorf(erasure.CodeInvalid, format, args...)
}

// Time is a time in an answer: RFC 3339 in UTC to the millisecond, and nil,
// which is null, where there is none.
func Time(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Format("2006-01-02T15:04:05.000Z"))
}

// OrNull gives a pointer to what is there, and nil, which is null, to what is not.
func OrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

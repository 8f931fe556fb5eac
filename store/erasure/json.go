package erasure

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// NestingLimit is how deep objects and arrays may stand in one another.
const NestingLimit = 32

// Members are the names that a contract gives the members of an object, each
// with those of the object, or of the objects in the array, that it holds.
type Members map[string]Members

// JSONContract is what a text must keep to so that no two readers understand
// it differently.
type JSONContract struct {
	Members Members
	// RefuseUnknown refuses members that the contract does not name; else
	// they are passed over.
	RefuseUnknown bool
	// Null lets the contract's own members be null.
	Null bool
}

// Check refuses, as [CodeInvalid], names that stand twice, a member of the
// contract in another letter case, data after the end, invalid UTF-8, NUL,
// and nesting over [NestingLimit]. Sentences name places and the contract's
// own names, and nothing else of the text.
func (contract JSONContract) Check(text []byte) error {
	c := checker{JSONContract: contract, d: jsontext.NewDecoder(bytes.NewBuffer(text))}
	c.escapedNUL = bytes.Contains(text, []byte(`\u0000`))
	if err := c.value(c.Members, c.Members != nil); err != nil {
		return JSONError(err)
	}
	end := c.d.InputOffset()
	if _, err := c.d.ReadToken(); err != io.EOF {
		return refuse("Give one JSON value and nothing after it; more follows after byte %d.", end)
	}
	return nil
}

// checker walks through a JSON text once, before anything is made of it.
type checker struct {
	JSONContract
	d          *jsontext.Decoder
	escapedNUL bool // the text may hold one; raw ones are no JSON
}

// value checks one value. ours says that objects in it are the contract's.
func (c *checker) value(m Members, ours bool) error {
	token, err := c.d.ReadToken()
	if err != nil {
		return err
	}
	if c.d.StackDepth() > NestingLimit {
		return refuse("Nest objects and arrays no deeper than %d.", NestingLimit)
	}
	switch token.Kind() {
	case '"':
		return c.text(token)
	case '[':
		return c.each(']', func() error { return c.value(m, ours) })
	case '{':
		return c.each('}', func() error { return c.member(m, ours) })
	}
	return nil
}

func (c *checker) each(end jsontext.Kind, one func() error) error {
	for {
		switch c.d.PeekKind() {
		case end:
			_, err := c.d.ReadToken()
			return err
		case 0:
			_, err := c.d.ReadToken() // says what is wrong
			return err
		}
		if err := one(); err != nil {
			return err
		}
	}
}

func (c *checker) member(m Members, ours bool) error {
	token, err := c.d.ReadToken()
	if err != nil {
		return err
	}
	if err := c.text(token); err != nil {
		return err
	}
	if !ours {
		return c.value(nil, false)
	}
	name := token.String()
	held, known := m[name]
	if !known {
		if err := c.stranger(name, m); err != nil {
			return err
		}
	} else if !c.Null && c.d.PeekKind() == 'n' {
		return refuse("Give %s a value, or leave it out.", name)
	}
	return c.value(held, held != nil)
}

// stranger refuses a name that one reader would take for the contract's and
// another pass over.
func (c *checker) stranger(name string, m Members) error {
	for own := range m {
		if strings.EqualFold(name, own) {
			return refuse("Write %s in exactly these letters.", own)
		}
	}
	if c.RefuseUnknown {
		return refuse("Leave out the member before byte %d; there is none of this name.", c.d.InputOffset()+1)
	}
	return nil
}

func (c *checker) text(token jsontext.Token) error {
	if c.escapedNUL && strings.IndexByte(token.String(), 0) >= 0 {
		return refuse("Remove the NUL character before byte %d.", c.d.InputOffset()+1)
	}
	return nil
}

// JSONError says what is wrong with a text that a [jsontext.Decoder] cannot
// read, as [JSONContract.Check] does. It is err itself where that is an [Error].
func JSONError(err error) error {
	if _, ours := errors.AsType[*Error](err); ours {
		return err
	}
	s, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case errors.Is(err, io.EOF):
		return refuse("Send a JSON body.")
	case !ok, errors.Is(err, io.ErrUnexpectedEOF):
		return refuse("Send the whole JSON text; this one is cut off.")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return refuse("Give each name in a JSON object once; one stands twice at byte %d.", s.ByteOffset+1)
	case strings.Contains(s.Err.Error(), "UTF-8"), strings.Contains(s.Err.Error(), "surrogate"):
		return refuse("Write the JSON as UTF-8 text; it is not at byte %d.", s.ByteOffset+1)
	}
	return refuse("Mend the JSON at byte %d.", s.ByteOffset+1)
}

func refuse(format string, args ...any) error { return Errorf(CodeInvalid, format, args...) }

package ingest

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store/erasure"
)

// nestingLimit is how deep objects and arrays may stand in one another.
const nestingLimit = 32

// checkStrict refuses what two readers of one JSON text could understand
// differently: names that stand twice, invalid UTF-8, NUL, deep nesting, data
// after the end. Sentences name a place in the text and nothing of its content.
func checkStrict(raw []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := d.ReadToken()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return syntaxError(err)
		}
		switch {
		case d.StackDepth() > nestingLimit:
			return refuse("Nest objects and arrays no deeper than %d.", nestingLimit)
		case token.Kind() == '"' && strings.IndexByte(token.String(), 0) >= 0:
			return refuse("Remove the NUL character before byte %d.", d.InputOffset())
		case d.StackDepth() == 0 && d.InputOffset() < int64(len(raw)) && len(bytes.TrimSpace(raw[d.InputOffset():])) > 0:
			return refuse("Give one JSON object and nothing after it; more follows at byte %d.", d.InputOffset()+1)
		}
	}
}

func syntaxError(err error) *erasure.Error {
	var s *jsontext.SyntacticError
	if !errors.As(err, &s) {
		return refuse("Give a whole JSON object; this one is cut off.")
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return refuse("Give each name in a JSON object once; one stands twice at byte %d.", s.ByteOffset+1)
	case strings.Contains(s.Err.Error(), "UTF-8"):
		return refuse("Write the JSON as UTF-8 text; it is not at byte %d.", s.ByteOffset+1)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refuse("Give a whole JSON object; this one is cut off.")
	}
	return refuse("Mend the JSON at byte %d.", s.ByteOffset+1)
}

// checkNamesOf refuses a member of the call's own that is spelt in another
// letter case: one reader would take it and another pass it over.
func checkNamesOf(raw []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return refuse("Give a JSON object.")
	}
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			return syntaxError(err)
		}
		name := token.String()
		for _, own := range members {
			if name != own && strings.EqualFold(name, own) {
				return refuse("Write %s in exactly these letters.", own)
			}
		}
		if err := d.SkipValue(); err != nil {
			return syntaxError(err)
		}
	}
	return nil
}

// members are the names that the Segment spec gives the members of a call.
var members = []string{
	"type", "messageId", "userId", "anonymousId", "previousId", "groupId", "event", "name", "category",
	"properties", "traits", "context", "timestamp", "originalTimestamp", "sentAt", "receivedAt",
	"integrations", "channel", "version", "writeKey",
}

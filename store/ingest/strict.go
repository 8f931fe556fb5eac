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

// checkStrict refuses what two readers of one JSON object could understand
// differently: names that stand twice, members of a call in another letter
// case, invalid UTF-8, NUL, deep nesting, data after the end. Sentences name a
// place in the text and nothing of its content.
func checkStrict(raw []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if d.PeekKind() != '{' {
		return refuse("Give a JSON object.")
	}
	for {
		token, err := d.ReadToken()
		if err != nil {
			return syntaxError(err)
		}
		if d.StackDepth() > nestingLimit {
			return refuse("Nest objects and arrays no deeper than %d.", nestingLimit)
		}
		if token.Kind() == '"' {
			if err := checkString(d, token.String()); err != nil {
				return err
			}
		}
		if d.StackDepth() == 0 {
			return checkEnd(raw, d.InputOffset())
		}
	}
}

func checkString(d *jsontext.Decoder, s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return refuse("Remove the NUL character before byte %d.", d.InputOffset())
	}
	if _, n := d.StackIndex(d.StackDepth()); d.StackDepth() != 1 || n%2 == 0 {
		return nil // not the name of a member of the call
	}
	for _, own := range members {
		if s != own && strings.EqualFold(s, own) {
			return refuse("Write %s in exactly these letters.", own)
		}
	}
	return nil
}

func checkEnd(raw []byte, end int64) error {
	if len(bytes.TrimSpace(raw[end:])) > 0 {
		return refuse("Give one JSON object and nothing after it; more follows at byte %d.", end+1)
	}
	return nil
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

// members are the names that the Segment spec gives the members of a call.
var members = []string{
	"type", "messageId", "userId", "anonymousId", "previousId", "groupId", "event", "name", "category",
	"properties", "traits", "context", "timestamp", "originalTimestamp", "sentAt", "receivedAt",
	"integrations", "channel", "version", "writeKey",
}

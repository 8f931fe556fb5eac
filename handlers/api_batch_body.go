package handlers

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store/erasure"
)

// bulkLine is how long one line of a list may be, in bytes: several times what
// the longest value and reason take, however they are escaped.
const bulkLine = 64 << 10

var (
	errLongLine = erasure.Errorf(erasure.CodeTooLarge, "Send %d bytes at most for one line.", bulkLine)
	errManyJSON = erasure.Errorf(erasure.CodeInvalid, "Send one JSON array and nothing after it.")
)

// bulkReader reads a list of deletions as it arrives, in memory for a few lines
// of the largest size: a JSON array, of which each element is a line, or
// NDJSON. Which it is says its first character.
type bulkReader struct {
	in    *bufio.Reader
	line  int               // the last that was read
	array *jsontext.Decoder // nil for NDJSON
	left  int               // bytes that array may still read for the present line
}

func newBulkReader(r io.Reader) (*bulkReader, error) {
	b := &bulkReader{in: bufio.NewReaderSize(r, bulkLine)}
	first, err := b.skipBlank()
	if err != nil {
		return nil, erasure.JSONError(err)
	}
	switch first {
	case '{':
		return b, nil
	case '[':
		b.line = 0
		b.left = bulkLine
		b.array = jsontext.NewDecoder(bounded{b})
		_, err := b.array.ReadToken()
		return b, err
	}
	return nil, erasure.Errorf(erasure.CodeInvalid, "Send a JSON array, or one JSON object on each line.")
}

// skipBlank returns the first character that is none of JSON's blanks, and
// leaves it to be read.
func (b *bulkReader) skipBlank() (byte, error) {
	for {
		c, err := b.in.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case c == '\n':
			b.line++
		case c != ' ' && c != '\t' && c != '\r':
			return c, b.in.UnreadByte()
		}
	}
}

// next returns the next line, which holds until the call after it, and io.EOF
// after the last. Of NDJSON blank lines are passed over, and counted.
func (b *bulkReader) next() (line []byte, err error) {
	if b.array != nil {
		return b.element()
	}
	for len(line) == 0 {
		line, err = b.in.ReadSlice('\n')
		if len(line) > 0 || err != io.EOF {
			b.line++
		}
		switch {
		case err == bufio.ErrBufferFull:
			return nil, errLongLine
		case err != nil && (err != io.EOF || len(line) == 0):
			return nil, err
		}
		line = bytes.Trim(line, " \t\r\n")
	}
	return line, nil
}

func (b *bulkReader) element() ([]byte, error) {
	b.line++
	b.left = 2 * bulkLine // with what stands before it, and what is read ahead
	if b.array.PeekKind() == ']' {
		return nil, b.end()
	}
	unread := b.array.UnreadBuffer()
	start := b.array.InputOffset() + int64(len(unread)-len(bytes.TrimLeft(unread, ", \t\r\n")))
	v, err := b.array.ReadValue()
	if err != nil {
		return nil, broken(err, start)
	}
	if len(v) > bulkLine {
		return nil, errLongLine
	}
	return v, nil
}

// end reads what follows the last element. Only at its end is a body known to
// have come whole.
func (b *bulkReader) end() error {
	if _, err := b.array.ReadToken(); err != nil {
		return err
	}
	_, err := b.array.ReadToken()
	if _, said := errors.AsType[*erasure.Error](err); said || err == io.EOF {
		return err
	}
	return errManyJSON
}

// broken says where in an element its JSON is broken, as it is said of a body
// that is one object.
func broken(err error, start int64) error {
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		s.ByteOffset -= start
	}
	return erasure.JSONError(err)
}

// bounded is what the decoder of an array reads. Without it one element could
// take the whole body into memory.
type bounded struct{ b *bulkReader }

func (r bounded) Read(p []byte) (n int, err error) {
	if r.b.left == 0 {
		return 0, errLongLine
	}
	n, err = r.b.in.Read(p[:min(len(p), r.b.left)])
	r.b.left -= n
	return n, err
}

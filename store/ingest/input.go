package ingest

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// input reads a file by its lines, unpacked where it is gzip, with no more in
// memory than a few lines of the largest size.
type input struct {
	br     *bufio.Reader
	packed bool
	line   int   // the last line that was passed on
	err    error // why there is no more to read; io.EOF at the end
}

const lineSize = EventSize + len("\r\n")

var (
	gzipMagic = []byte{0x1f, 0x8b}
	utf8BOM   = []byte("\xef\xbb\xbf")
)

func newInput(r io.Reader) (*input, error) {
	in := &input{br: bufio.NewReaderSize(r, 2*lineSize)}
	if head, _ := in.br.Peek(2); bytes.Equal(head, gzipMagic) {
		in.packed = true
		z, err := gzip.NewReader(in.br)
		if err == io.EOF { // in the middle of the header
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, in.failed(err)
		}
		in.br = bufio.NewReaderSize(z, 2*lineSize)
	}
	head, _ := in.br.Peek(len(utf8BOM))
	if bytes.Equal(head, utf8BOM) {
		in.br.Discard(len(utf8BOM))
	}
	if bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff}) {
		return nil, refuse("Save the file as UTF-8; it is UTF-16.")
	}
	if in.isBinary() {
		return nil, refuse("The file is no CSV or NDJSON text; choose one that is, or save it as CSV in UTF-8.")
	}
	return in, nil
}

// isBinary reports whether a program or a spreadsheet was named by mistake:
// text has no NUL. Further down one may be a slip, which costs its line alone.
func (in *input) isBinary() bool {
	head, _ := in.br.Peek(in.br.Buffered())
	first, _, _ := bytes.Cut(head, []byte("\n"))
	return bytes.IndexByte(first, 0) >= 0
}

// failed puts a read error into words. What was cut off cannot be told from
// what is damaged, and the remedy is the same.
func (in *input) failed(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case err == io.EOF:
		return io.EOF
	case in.packed && errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &corrupt),
		errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return refuse("The gzip file is cut off or damaged after line %d; fetch the file again.", in.line)
	}
	return fmt.Errorf("read after line %d: %w", in.line, err)
}

// peek returns what is buffered, more of it than have bytes unless the input
// has ended.
func (in *input) peek(have int) []byte {
	if in.err != nil || have < in.br.Buffered() {
		b, _ := in.br.Peek(in.br.Buffered())
		return b
	}
	if _, err := in.br.Peek(have + 1); err != nil {
		in.err = in.failed(err)
	}
	b, _ := in.br.Peek(in.br.Buffered())
	return b
}

// take passes n buffered bytes on, which hold newlines line ends.
func (in *input) take(n, newlines int) {
	in.br.Discard(n)
	in.line += newlines
}

// skipLine drops the next line, however long it is.
func (in *input) skipLine() {
	for {
		b := in.peek(0)
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			in.take(i+1, 1)
			return
		}
		in.br.Discard(len(b))
		if in.err != nil {
			in.line++
			return
		}
	}
}

func withoutEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

func tooLong(line int) error {
	return &LineError{Line: line, Err: refuse("Shorten the line to %d bytes.", EventSize)}
}

// next returns the next line without its end. The bytes hold until the next
// call. A line cut off by a read error is not returned.
func (in *input) next() (line int, b []byte, err error) {
	for have := 0; ; have = len(b) {
		b = in.peek(have)
		i := bytes.IndexByte(b, '\n')
		n := in.line + 1
		switch {
		case i >= 0:
			in.take(i+1, 1)
			b = withoutEnd(b[:i+1])
			if len(b) > EventSize {
				return n, nil, tooLong(n)
			}
			return n, b, nil
		case in.err == nil && len(b) <= lineSize:
			continue
		case in.err == io.EOF && len(b) == 0, in.err != nil && in.err != io.EOF:
			return 0, nil, in.err
		case len(b) > EventSize:
			in.skipLine()
			return n, nil, tooLong(n)
		default:
			in.take(len(b), 1)
			return n, b, nil
		}
	}
}

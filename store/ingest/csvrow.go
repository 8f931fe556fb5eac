package ingest

import (
	"bytes"
	"io"

	"github.com/efface/efface/store/erasure"
)

// row returns the next row's fields, unquoted as RFC 4180 has it, and the line
// it begins at. Empty lines are passed over. After a row that is refused,
// reading goes on with the line after the one it begins at, so that a single
// stray quote does not swallow what follows.
//
// encoding/csv is not used because it holds a row of any size in memory, and
// one quote that nobody closed makes all the rest of a file one row.
func (in *input) row() (line int, fields []string, err error) {
	for have := 0; ; {
		b := in.peek(have)
		if in.err == io.EOF && len(b) == 0 {
			return 0, nil, io.EOF
		}
		if n := emptyLine(b); n > 0 {
			in.take(n, 1)
			have = 0
			continue
		}
		line = in.line + 1
		fields, n, wrong := splitRow(b, in.err == io.EOF)
		switch {
		case len(withoutEnd(b[:n])) > EventSize:
			in.take(n, lineEnds(b[:n]))
			return line, nil, tooLong(line)
		case n == 0 && wrong == nil && len(b) > lineSize:
			in.skipLine()
			return line, nil, tooLong(line)
		case wrong != nil:
			in.skipLine()
			return line, nil, &LineError{Line: line, Err: wrong}
		case n > 0:
			in.take(n, lineEnds(b[:n]))
			return line, fields, nil
		case in.err != nil: // cut off within this row
			return 0, nil, in.err
		}
		have = len(b)
	}
}

func emptyLine(b []byte) int {
	switch {
	case bytes.HasPrefix(b, []byte("\n")):
		return 1
	case bytes.HasPrefix(b, []byte("\r\n")):
		return 2
	}
	return 0
}

// lineEnds counts the lines that a row spans; the last one of a file may lack
// its end.
func lineEnds(row []byte) int {
	n := bytes.Count(row, []byte("\n"))
	if !bytes.HasSuffix(row, []byte("\n")) {
		n++
	}
	return n
}

// splitRow reads one row at the beginning of b: its fields and how many bytes
// it takes, its line end included. It takes none where b ends within the row.
func splitRow(b []byte, final bool) (fields []string, n int, wrong *erasure.Error) {
	for {
		field, used, end, wrong := splitField(b[n:], final)
		if wrong != nil || used == 0 && !end {
			return nil, 0, wrong
		}
		fields = append(fields, field)
		n += used
		if end {
			return fields, n, nil
		}
	}
}

// splitField reads one field and the comma or line end after it. used is 0
// and end is false where b ends too early.
func splitField(b []byte, final bool) (field string, used int, end bool, wrong *erasure.Error) {
	if bytes.HasPrefix(b, []byte(`"`)) {
		return splitQuoted(b, final)
	}
	i := bytes.IndexAny(b, ",\n\"")
	switch {
	case i < 0 && final:
		return string(bytes.TrimSuffix(b, []byte("\r"))), len(b), true, nil
	case i < 0:
		return "", 0, false, nil
	case b[i] == '"':
		return "", 0, false, refuse("Put a field that has a quote in it in quotes, and double the quote.")
	case b[i] == '\n':
		return string(bytes.TrimSuffix(b[:i], []byte("\r"))), i + 1, true, nil
	}
	return string(b[:i]), i + 1, false, nil
}

func splitQuoted(b []byte, final bool) (field string, used int, end bool, wrong *erasure.Error) {
	var text []byte
	for i := 1; ; {
		j := bytes.IndexByte(b[i:], '"')
		if j < 0 && final {
			return "", 0, false, refuse("Close the quote that a field of this row begins with.")
		}
		if j < 0 {
			return "", 0, false, nil
		}
		text = append(text, b[i:i+j]...)
		rest := b[i+j+1:]
		used = i + j + 1
		switch {
		case bytes.HasPrefix(rest, []byte(`"`)):
			text = append(text, '"')
			i = used + 1
			continue
		case bytes.HasPrefix(rest, []byte(",")):
			return string(text), used + 1, false, nil
		case emptyLine(rest) > 0:
			return string(text), used + emptyLine(rest), true, nil
		case len(rest) == 0, string(rest) == "\r":
			if !final {
				return "", 0, false, nil
			}
			return string(text), used + len(rest), true, nil
		}
		return "", 0, false, refuse("Double each quote inside a field that is in quotes.")
	}
}

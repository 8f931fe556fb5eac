package ingest

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/efface/efface/store/erasure"
)

// ListOptions say what the rows of a list are.
type ListOptions struct {
	Table  erasure.Table // empty is [erasure.User]
	Region string        // country of phone numbers in their national form; may be empty
	Keys   []string      // that the table's profiles are found by
}

// ListReader reads a CSV file as a list of people to be erased, one identifier
// a row.
type ListReader struct {
	in      *input
	options ListOptions
	names   []string // of the columns
	key     string   // of each value; "" where a column says it
	keyAt   int      // the column that does; -1 where there is none
	valueAt int
}

// List begins to read a file, packed with gzip or not. Its error, an
// [erasure.Error] where the file is at fault, refuses the file as a whole.
func List(r io.Reader, o ListOptions) (*ListReader, error) {
	if o.Table == "" {
		o.Table = erasure.User
	}
	in, err := newInput(r)
	if err != nil {
		return nil, err
	}
	in.limit(erasure.BulkSize)
	l := &ListReader{in: in, options: o, keyAt: -1}
	if l.names, err = in.names(); err != nil {
		return nil, err
	}
	return l, l.assign()
}

// assign finds the column of the identifiers, in any letter case.
func (l *ListReader) assign() error {
	var identifiers []int
	valueAt := -1
	for i, name := range l.names {
		switch name = strings.ToLower(name); {
		case name == "key" && l.keyAt >= 0 || name == "value" && valueAt >= 0:
			return refuse("Keep one of the columns called %s.", name)
		case name == "key":
			l.keyAt = i
		case name == "value":
			valueAt = i
		case slices.Contains(l.options.Keys, name):
			identifiers = append(identifiers, i)
		}
	}
	paired := l.keyAt >= 0 && valueAt >= 0
	switch {
	case paired && len(identifiers) > 0:
		return refuse("Keep the columns key and value, or the column %s, but not both: each line asks for one identifier.", l.namesOf(identifiers))
	case paired:
		l.valueAt = valueAt
	case len(identifiers) > 1:
		return refuse("Keep one of the columns %s: each line asks for one identifier.", l.namesOf(identifiers))
	case len(identifiers) == 1:
		l.keyAt, l.valueAt = -1, identifiers[0]
		l.key = strings.ToLower(l.names[l.valueAt])
	case otherwiseSeparated(l.names):
		return errSeparator
	default:
		return refuse("Name one column in the first line after a key (%s), or give two columns named key and value.", strings.Join(l.options.Keys, ", "))
	}
	return nil
}

func (l *ListReader) namesOf(columns []int) string {
	var names []string
	for _, i := range columns {
		names = append(names, strings.ToLower(l.names[i]))
	}
	return strings.Join(names, ", ")
}

// Ignored lists the columns that are not read, by their names in the file.
func (l *ListReader) Ignored() (names []string) {
	for i, name := range l.names {
		if i != l.keyAt && i != l.valueAt {
			names = append(names, name)
		}
	}
	return names
}

// Next returns the next row. One that cannot be asked for says why in Refused.
// The error is [io.EOF] at the end; any other ends the reading, an
// [erasure.Error] where the file is at fault.
func (l *ListReader) Next() (erasure.Line, error) {
	n, fields, err := l.in.row()
	line := erasure.Line{N: n}
	if err == nil {
		line.Asked, err = l.identifier(fields)
		err = refusal(n, err)
	}
	if bad, ok := errors.AsType[*LineError](err); ok {
		return erasure.Line{N: n, Refused: bad.Err.Sentence}, nil
	}
	return line, err
}

func (l *ListReader) identifier(fields []string) (erasure.Identifier, error) {
	id := erasure.Identifier{Table: l.options.Table, Key: l.key, Region: l.options.Region}
	if err := checkWidth(fields, len(l.names)); err != nil {
		return id, err
	}
	if l.keyAt >= 0 {
		id.Key = strings.ToLower(erasure.CleanPaste(fields[l.keyAt]))
		if !slices.Contains(l.options.Keys, id.Key) {
			return id, refuse("Give a key that people are found by, such as email, in the column key.")
		}
	}
	id.Value = fields[l.valueAt]
	return id, erasure.CheckIdentifier(id)
}

// limit ends the reading with an error after so many bytes, counted unpacked.
func (in *input) limit(bytes int64) {
	in.br = bufio.NewReaderSize(&limited{r: in.br, left: bytes}, 2*lineSize)
}

type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		if n, err := l.r.Read(p[:1]); n == 0 {
			return 0, err
		}
		return 0, errListSize
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

var errListSize = erasure.Errorf(erasure.CodeTooLarge, "Split the file: it may have %d MB at most, counted unpacked.", erasure.BulkSize>>20)

package ingest

import (
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store/erasure"
)

// DefaultSource names the source of a file that was given no name.
const DefaultSource = "import"

// CSVOptions say what the rows of a CSV file are.
type CSVOptions struct {
	Source string            // empty is [DefaultSource]
	Table  erasure.Table     // empty is [erasure.User]
	Keys   map[string]string // further identifiers: a column's name and its key
}

// CSVReader reads a CSV file as one identify call a row.
type CSVReader struct {
	in      *input
	source  string
	table   erasure.Table
	columns []Column
}

// CSV begins to read a file, packed with gzip or not. Its error, an
// [erasure.Error] where the file is at fault, refuses the file as a whole.
func CSV(r io.Reader, o CSVOptions) (*CSVReader, error) {
	c := &CSVReader{source: o.Source, table: o.Table}
	if c.source == "" {
		c.source = DefaultSource
	}
	if c.table == "" {
		c.table = erasure.User
	}
	if err := CheckSource(c.source); err != nil {
		return nil, err
	}
	var err error
	if c.in, err = newInput(r); err != nil {
		return nil, err
	}
	if c.columns, err = c.in.header(c.table, o.Keys); err != nil {
		return nil, err
	}
	return c, nil
}

// Next returns the next row's call and the line it begins at. The error is a
// [*LineError] for a row that is refused, after which Next goes on; [io.EOF]
// at the end; any other ends the reading, an [erasure.Error] where the file is
// at fault.
func (c *CSVReader) Next() (line int, call Call, err error) {
	line, fields, err := c.in.row()
	if err != nil {
		return line, Call{}, err
	}
	call, err = c.call(fields)
	if err != nil {
		return line, Call{}, refusal(line, err)
	}
	return line, call, nil
}

func (c *CSVReader) call(fields []string) (Call, error) {
	if err := checkWidth(fields, len(c.columns)); err != nil {
		return Call{}, err
	}
	g := gathering{table: c.table}
	traits := map[string]jsontext.Value{}
	for i, field := range fields {
		if err := checkText(field); err != nil {
			return Call{}, err
		}
		if key := c.columns[i].Key; key != "" {
			if err := g.add(key, field); err != nil {
				return Call{}, err
			}
		} else if field != "" {
			c.columns[i].see(field)
			v, err := jsontext.AppendQuote(nil, field)
			if err != nil {
				return Call{}, err
			}
			traits[c.columns[i].Name] = v
		}
	}
	if len(g.ids) == 0 {
		return Call{}, refuse("Give the row an identifier; the columns for them are empty.")
	}
	return Call{
		Kind: Identify, Table: c.table, Source: c.source,
		Identifiers: g.ids, Traits: traits, MessageID: c.rowID(fields),
	}, nil
}

func checkWidth(fields []string, columns int) error {
	if len(fields) != columns {
		return refuse("Give the row as many fields as the header has: it has %d, the header %d.", len(fields), columns)
	}
	return nil
}

func checkText(s string) error {
	if !utf8.ValidString(s) {
		return refuse("Save the line as UTF-8 text.")
	}
	if strings.IndexByte(s, 0) >= 0 {
		return refuse("Remove the NUL character.")
	}
	return nil
}

// rowID is made of what the row says: its fields with their keys or names, in
// an order that does not depend on the columns'. A row read again under other
// keys says something else.
func (c *CSVReader) rowID(fields []string) string {
	var pairs []string
	for i, field := range fields {
		if field != "" {
			pairs = append(pairs, string(appendParts(nil, c.columns[i].Key, c.columns[i].Name, field)))
		}
	}
	slices.Sort(pairs)
	return string(appendParts([]byte("\x00row"), append([]string{c.source, string(c.table)}, pairs...)...))
}

// appendParts writes parts so that no other parts give the same bytes.
func appendParts(b []byte, parts ...string) []byte {
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

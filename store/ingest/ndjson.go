package ingest

import (
	"bytes"
	"io"
)

// NDJSONOptions say what the lines of an NDJSON file are.
type NDJSONOptions struct {
	Source string // empty is [DefaultSource]
}

// NDJSONReader reads a file of Segment-spec calls, one a line.
type NDJSONReader struct {
	in     *input
	source string
}

// NDJSON begins to read a file, packed with gzip or not. Its error, an
// [erasure.Error] where the file is at fault, refuses the file as a whole.
func NDJSON(r io.Reader, o NDJSONOptions) (*NDJSONReader, error) {
	n := &NDJSONReader{source: o.Source}
	if n.source == "" {
		n.source = DefaultSource
	}
	if err := CheckSource(n.source); err != nil {
		return nil, err
	}
	var err error
	if n.in, err = newInput(r); err != nil {
		return nil, err
	}
	return n, nil
}

// Next returns the next line's call; empty lines are passed over. Its errors
// are those of [CSVReader.Next].
func (n *NDJSONReader) Next() (line int, call Call, err error) {
	var b []byte
	for len(b) == 0 {
		line, b, err = n.in.next()
		if err != nil {
			return line, Call{}, err
		}
		b = bytes.TrimSpace(b)
	}
	call, err = ParseCall(b)
	if err != nil {
		return line, Call{}, refusal(line, err)
	}
	call.Source = n.source
	if call.MessageID == "" {
		call.MessageID = string(appendParts([]byte("\x00line"), n.source, string(b)))
	}
	return line, call, nil
}

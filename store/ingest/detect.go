package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
)

// Format is how a file is written.
type Format string

// The formats.
const (
	FormatCSV    Format = "csv"
	FormatNDJSON Format = "ndjson"
)

// Detect tells a file's format by its beginning, packed or not: NDJSON begins
// with a brace, and what does not is CSV. The reader it returns has the whole
// file again.
func Detect(r io.Reader) (Format, io.Reader) {
	br := bufio.NewReader(r)
	head, _ := br.Peek(br.Size())
	if bytes.HasPrefix(head, gzipMagic) {
		head = unpackHead(head)
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, utf8BOM), " \t\r\n")
	if bytes.HasPrefix(head, []byte("{")) {
		return FormatNDJSON, br
	}
	return FormatCSV, br
}

// unpackHead returns what of the beginning can be unpacked; the error that the
// cut makes is of no interest.
func unpackHead(head []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(head))
	if err != nil {
		return nil
	}
	b, _ := io.ReadAll(io.LimitReader(z, 512))
	return b
}

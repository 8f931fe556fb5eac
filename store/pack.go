package store

import (
	"bytes"
	"compress/gzip"

	"github.com/go-json-experiment/json"
)

// pack writes v as JSON packed with gzip, for lists of thousands of lines that
// are much alike.
func pack(v any) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if err := json.MarshalWrite(z, v); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// unpack reads what pack wrote.
func unpack(b []byte, v any) error {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return json.UnmarshalRead(z, v)
}

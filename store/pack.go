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

// unpack reads what pack wrote, and JSON that was written before there was pack.
func unpack(b []byte, v any) error {
	if bytes.HasPrefix(b, []byte("[")) {
		return json.Unmarshal(b, v)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return json.UnmarshalRead(z, v)
}

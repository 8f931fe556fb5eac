// Package wire is what every API needs to read a request: the key that it
// carries, limits, gzip and strict JSON. The words of each vendor's contract
// stand with that vendor's routes.
package wire

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"

	"github.com/efface/efface/store/erasure"
)

// BodyLimit is how many bytes a request may carry, as sent and unpacked,
// unless its route says otherwise.
const BodyLimit = 1 << 20

// ReadBody reads a request's whole body and unpacks it where it is gzip. That
// is known by the first bytes, which begin no JSON: some clients pack and do
// not say so. Its errors are [erasure.CodeTooLarge] and [erasure.CodeInvalid].
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, limit), r.ContentLength)
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge(limit)
	}
	if err != nil {
		return nil, erasure.Errorf(erasure.CodeInvalid, "Send the whole body; it broke off.")
	}
	if bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return unpack(body, limit)
	}
	return body, nil
}

// readAll is io.ReadAll with room for what the client announced.
func readAll(r io.Reader, length int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(max(length, 0)) + bytes.MinRead)
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

func unpack(packed []byte, limit int64) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, errGzip
	}
	body, err := io.ReadAll(io.LimitReader(z, limit+1))
	if int64(len(body)) > limit {
		return nil, tooLarge(limit)
	}
	if err != nil {
		return nil, errGzip
	}
	return body, nil
}

var errGzip = erasure.Errorf(erasure.CodeInvalid, "Send a whole gzip stream; this one is broken.")

func tooLarge(limit int64) error {
	return erasure.Errorf(erasure.CodeTooLarge, "Send %d bytes at most, counted unpacked.", limit)
}

// Package wire is what every API needs to read a request: the key that it
// carries, limits, gzip and strict JSON. The words of each vendor's contract
// stand with that vendor's routes.
package wire

import (
	"bufio"
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

// ReadBody reads a request's whole body, as [OpenBody] gives it.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := OpenBody(w, r, limit)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(int(max(r.ContentLength, 0)) + bytes.MinRead) // what the client announced
	if _, err := b.ReadFrom(body); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// OpenBody begins to read a request's body and unpacks it where it is gzip.
// That is known by the first bytes, which begin no JSON: some clients pack and
// do not say so. Its errors and those of its reads are
// [erasure.CodeTooLarge] and [erasure.CodeInvalid].
func OpenBody(w http.ResponseWriter, r *http.Request, limit int64) (io.Reader, error) {
	if r.ContentLength > limit {
		if r.ContentLength <= refusedAfterAll && r.Header.Get("Expect") == "" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		return nil, tooLarge(limit)
	}
	sent := bufio.NewReaderSize(&sentBody{http.MaxBytesReader(w, r.Body, limit)}, 16)
	if head, _ := sent.Peek(2); !bytes.Equal(head, []byte{0x1f, 0x8b}) {
		return sent, nil
	}
	packed := bufio.NewReader(sent)
	z, err := gzip.NewReader(packed)
	if err != nil {
		return nil, gzipError(err)
	}
	return &unpacked{z, packed, limit, limit}, nil
}

// refusedAfterAll is up to which length a body that is too long is read before
// it is refused: the connection ends with the answer to one that was not read,
// and a client that still writes then may not see why.
const refusedAfterAll = 8 << 20

// sentBody says in a sentence why a body ended early.
type sentBody struct{ r io.Reader }

func (b *sentBody) Read(p []byte) (n int, err error) {
	n, err = b.r.Read(p)
	if over, is := errors.AsType[*http.MaxBytesError](err); is {
		return n, tooLarge(over.Limit)
	}
	if err != nil && err != io.EOF {
		return n, erasure.Errorf(erasure.CodeInvalid, "Send the whole body; it broke off.")
	}
	return n, err
}

type unpacked struct {
	r, packed   io.Reader
	limit, left int64 // left is below 0 once the limit is passed
}

func (u *unpacked) Read(p []byte) (n int, err error) {
	n, err = u.r.Read(p[:min(int64(len(p)), u.left+1)])
	if u.left -= int64(n); u.left < 0 {
		_, _ = io.CopyN(io.Discard, u.packed, refusedAfterAll)
		return 0, tooLarge(u.limit)
	}
	if err != nil && err != io.EOF {
		return n, gzipError(err)
	}
	return n, err
}

func gzipError(err error) error {
	if _, said := errors.AsType[*erasure.Error](err); said { // why the packed body ended early
		return err
	}
	return erasure.Errorf(erasure.CodeInvalid, "Send a whole gzip stream; this one is broken.")
}

func tooLarge(limit int64) error {
	return erasure.Errorf(erasure.CodeTooLarge, "Send %d bytes at most, counted unpacked.", limit)
}

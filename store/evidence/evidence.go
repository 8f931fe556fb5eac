// Package evidence is what proves an erasure to somebody who has nothing but a
// file and the public key of the log: signed checkpoints of the deletion log,
// receipts and the exported log, and how each is verified. docs/evidence.md is
// its written form. It has no SQL, no HTTP and no store.
package evidence

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"
)

// Origin is the first line of a store's checkpoints, and the name of its key.
func Origin(store [16]byte) string { return fmt.Sprintf("efface/%x", store) }

// Time writes a time as log entries and receipts have it: RFC 3339, UTC, in
// milliseconds.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// errForm is that of bytes which are not in the form that is written. One thing
// has one form only, so that no byte of a file can change unnoticed.
var errForm = errors.New("it is not in the form that Efface writes")

// readCanonical reads JSON that must be canonical (RFC 8785), with no member
// that v does not have.
func readCanonical(b []byte, v any) error {
	if err := json.Unmarshal(b, v, json.RejectUnknownMembers(true)); err != nil {
		return errForm
	}
	canonical := jsontext.Value(bytes.Clone(b))
	if err := canonical.Canonicalize(); err != nil || !bytes.Equal(canonical, b) {
		return errForm
	}
	return nil
}

// writeCanonical writes JSON as readCanonical reads it.
func writeCanonical(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	err = (*jsontext.Value)(&b).Canonicalize()
	return b, err
}

// readBase64 reads base64 that has one form only.
func readBase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || base64.StdEncoding.EncodeToString(b) != s { // it passes over line ends
		return nil, errForm
	}
	return b, nil
}

func readHash(s string) (h tlog.Hash, err error) {
	b, err := readBase64(s)
	if err != nil || len(b) != len(h) {
		return h, errForm
	}
	return tlog.Hash(b), nil
}

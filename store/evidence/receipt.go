package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/efface/efface/store/erasure"
)

// ReceiptVersion is the form of a receipt that this program writes.
const ReceiptVersion = 1

// Receipt is the proof of one erasure. Its members stand in the order of their
// names, so that what is written is canonical JSON. Times are of RFC 3339, in
// UTC with milliseconds, as in a log entry.
type Receipt struct {
	Checkpoint  string         `json:"checkpoint"`   // that Proof leads to, a signed note
	CopiesUntil string         `json:"copies_until"` // until when copies of the keyring may hold the keys
	Counts      ReceiptCounts  `json:"counts"`       // what was destroyed and deleted
	Entry       jsontext.Value `json:"entry"`        // of the completion, as it stands in the log
	Method      string         `json:"method"`
	Program     string         `json:"program"` // that carried the erasure out
	Proof       []string       `json:"proof"`   // hashes of RFC 6962's audit path, base64
	Request     ReceiptRequest `json:"request"`
	Version     int            `json:"v"`
}

// ReceiptCounts say how much was erased.
type ReceiptCounts struct {
	Identifiers int `json:"identifiers"`
	Keys        int `json:"keys"`
	Records     int `json:"records"`
}

// ReceiptRequest is what was asked for, and when what was done.
type ReceiptRequest struct {
	Batch           string         `json:"batch,omitempty"`
	CancelBefore    string         `json:"cancel_before"`
	CompletedAt     string         `json:"completed_at"`
	EffaceID        string         `json:"efface_id,omitempty"` // none where nothing was known of who was asked for
	ID              string         `json:"id"`
	KeysDestroyedAt string         `json:"keys_destroyed_at"`
	Origin          erasure.Origin `json:"origin"`
	Reference       string         `json:"reference,omitempty"`
	RequestedAt     string         `json:"requested_at"`
	RequestedBy     string         `json:"requested_by"` // operator:ID, key:ID: who confirmed it
	Suppressed      bool           `json:"suppressed"`
	Table           erasure.Table  `json:"table"`
}

// EntryIndex is the place of the receipt's entry in the log.
func (r Receipt) EntryIndex() (int64, error) {
	e, err := readEntry(r.Entry)
	return e.Index, err
}

// The frame around a receipt. The signature is that of a note's over the
// receipt's exact bytes and a line end, with the key's hash before it.
const (
	receiptHead   = `{"receipt":`
	receiptMiddle = `,"signature":"`
	receiptTail   = "\"}\n"
)

// Sign writes the receipt's file.
func (r Receipt) Sign(k Signer) ([]byte, error) {
	body, err := writeCanonical(r)
	if err != nil {
		return nil, err
	}
	s, err := k.Sign(append(bytes.Clone(body), '\n'))
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s%s%s%s%s", receiptHead, body, receiptMiddle, s, receiptTail), nil
}

// receiptFile is the form of a receipt's file.
var receiptFile = regexp.MustCompile(`(?s)^` + regexp.QuoteMeta(receiptHead) + `(\{.*\})` + regexp.QuoteMeta(receiptMiddle) +
	`([A-Za-z0-9+/=]+)` + regexp.QuoteMeta(receiptTail) + `$`)

// VerifyReceipt checks a receipt's file: its signature, that its entry stands
// in the log that its checkpoint signs, and that its fields agree with the
// entry.
func VerifyReceipt(file []byte, v note.Verifier) (r Receipt, err error) {
	parts := receiptFile.FindSubmatch(file)
	if parts == nil {
		return r, errForm
	}
	if !Signed(string(parts[2]), append(bytes.Clone(parts[1]), '\n'), v) {
		return r, fmt.Errorf("the receipt is not signed by the key %s", v.Name())
	}
	if err := readCanonical(parts[1], &r); err != nil {
		return r, err
	}
	if r.Version != ReceiptVersion {
		return r, fmt.Errorf("it is a receipt of version %d; use a newer program", r.Version)
	}
	e, err := readEntry(r.Entry)
	if err != nil {
		return r, err
	}
	if _, err := included(r.Checkpoint, r.Proof, e.Index, tlog.RecordHash(r.Entry), v); err != nil {
		return r, err
	}
	return r, r.agrees(e)
}

// agrees checks that what the receipt says of the request is what its entry
// says, as far as the entry does.
func (r Receipt) agrees(e entry) error {
	counts := ReceiptCounts{Keys: r.Counts.Keys}
	if e.Counts != nil {
		counts.Identifiers, counts.Records = e.Counts.Identifiers, e.Counts.Records
	}
	for _, of := range []struct {
		what string
		same bool
	}{
		{"kind", e.Kind == erasure.RequestCompleted && e.To == string(erasure.Completed)},
		{"id", e.Request == r.Request.ID},
		{"batch", e.Batch == r.Request.Batch},
		{"origin", e.Origin == r.Request.Origin},
		{"reference", e.Reference == r.Request.Reference},
		{"completed_at", e.Time == r.Request.CompletedAt},
		{"counts", counts == r.Counts},
	} {
		if !of.same {
			return errors.New("the receipt and its log entry do not agree in " + of.what)
		}
	}
	return nil
}

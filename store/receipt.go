package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
)

// destroyedBy is how an erasure is carried out, as receipts say it.
const destroyedBy = "The AES-256-GCM data keys were overwritten with zeros, then the rows were deleted."

var (
	errNoReceipt   = erasure.Errorf(erasure.CodeConflict, "There is a receipt once the erasure is completed.")
	errCancelled   = erasure.Errorf(erasure.CodeConflict, "This request was cancelled: nothing was erased, so there will be no receipt of it.")
	errReceiptLost = erasure.Errorf(erasure.CodeNotFound, "This request was made or carried out after the backup that was restored, so that the deletion log alone tells of it and no receipt can be made; one that was downloaded before stays valid, and so does the log entry of its completion with its proof.")
	errReceiptGone = erasure.Errorf(erasure.CodeNotFound, "The log entry of this erasure has gone after its retention, so that no receipt can be made any more.")
)

// Receipt makes the receipt of a completed request: a file that
// [evidence.VerifyReceipt] verifies. Its errors are [ErrNoRequest],
// [erasure.CodeConflict] before the completion and after a cancel, and [erasure.CodeNotFound] where
// the log alone tells of the request since a restore, or once the content of its
// entry there has gone.
func (db *DB) Receipt(ctx context.Context, id erasure.RequestID) (out evidence.Receipt, file []byte, err error) {
	r, err := db.Request(ctx, id)
	if err != nil {
		return out, nil, err
	}
	if r.FromLog {
		return out, nil, errReceiptLost
	}
	if r.State == erasure.Cancelled {
		return out, nil, errCancelled
	}
	if r.State != erasure.Completed {
		return out, nil, errNoReceipt
	}
	out = evidence.Receipt{Version: evidence.ReceiptVersion, Method: destroyedBy, CopiesUntil: evidence.Time(r.KeysDestroyedAt.Add(db.options.KeepKeyringCopies))}
	if err := db.reads.QueryRowContext(ctx, `SELECT program FROM requests WHERE id = $1`, id[:]).Scan(&out.Program); err != nil {
		return out, nil, err
	}
	out.Request = receiptRequest(r)
	out.Counts = evidence.ReceiptCounts{Identifiers: r.Identifiers, Records: r.Records}
	if out.Counts.Keys, err = db.keysOf(ctx, r); err != nil {
		return out, nil, err
	}
	index, entry, err := db.requestEntry(ctx, id, erasure.RequestCompleted)
	if errors.Is(err, sql.ErrNoRows) {
		return out, nil, errReceiptGone
	}
	if err != nil {
		return out, nil, err
	}
	out.Entry = entry
	if out.Checkpoint, out.Proof, err = db.inclusion(ctx, index); err != nil {
		return out, nil, fmt.Errorf("proving log entry %d: %w", index, err)
	}
	file, err = out.Sign(db.signer)
	return out, file, err
}

func receiptRequest(r erasure.Request) evidence.ReceiptRequest {
	out := evidence.ReceiptRequest{
		ID: r.ID.String(), Table: r.Table, Origin: r.Origin, Reference: r.Reference, RequestedBy: r.Actor.String(), Suppressed: r.Suppress,
		RequestedAt: evidence.Time(r.RequestedAt), CancelBefore: evidence.Time(r.CancelBefore),
		KeysDestroyedAt: evidence.Time(r.KeysDestroyedAt), CompletedAt: evidence.Time(r.FinishedAt),
	}
	if r.Batch != nil {
		out.Batch = r.Batch.String()
	}
	if r.EffaceID != nil {
		out.EffaceID = r.EffaceID.String()
	}
	return out
}

// requestEntry reads a request's newest log entry of a kind; sql.ErrNoRows
// where there is none, or none any more.
func (db *DB) requestEntry(ctx context.Context, id erasure.RequestID, kind erasure.Kind) (index int64, entry []byte, err error) {
	err = db.reads.QueryRowContext(ctx, `SELECT idx, entry FROM log_entries WHERE request = $1 AND kind = $2 ORDER BY idx DESC LIMIT 1`,
		id[:], string(kind)).Scan(&index, &entry)
	return index, entry, err
}

// keysOf reads how many keys an erasure destroyed.
func (db *DB) keysOf(ctx context.Context, r erasure.Request) (int, error) {
	id := r.ID
	if r.Joined != nil { // they are counted with the request that it was carried out with
		id = *r.Joined
	}
	_, entry, err := db.requestEntry(ctx, id, erasure.KeysDestroyed)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errReceiptGone
	}
	if err != nil {
		return 0, err
	}
	var e struct {
		Counts erasure.Counts `json:"counts"`
	}
	err = json.Unmarshal(entry, &e)
	return e.Counts.Keys, err
}

// inclusion proves that an entry stands in the log that a checkpoint signs.
func (db *DB) inclusion(ctx context.Context, index int64) (signed string, proof []string, err error) {
	c, err := db.checkpointOf(ctx, index+1)
	if err != nil {
		return "", nil, err
	}
	hashes, err := tlog.ProveRecord(c.size, index, db.tree(ctx))
	if err != nil {
		return "", nil, err
	}
	proof = make([]string, len(hashes))
	for i, h := range hashes {
		proof[i] = h.String()
	}
	return c.signed, proof, nil
}

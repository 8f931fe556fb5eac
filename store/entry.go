package store

import (
	"bytes"
	"context"
	"fmt"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
)

var errNoEntry = erasure.Errorf(erasure.CodeNotFound, "There is no entry of this number in the log.")

// Entry makes the file of a log entry that [evidence.VerifyEntry] verifies: its
// bytes or, once they have gone after their retention, its hash; the proof of
// its place; and a checkpoint that covers it. [erasure.CodeNotFound] where
// there is no such entry.
func (db *DB) Entry(ctx context.Context, index int64) ([]byte, error) {
	line, err := db.logLines(ctx, index, index+1)
	if err != nil {
		return nil, err
	}
	if len(line) == 0 {
		return nil, errNoEntry
	}
	signed, proof, err := db.inclusion(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("proving log entry %d: %w", index, err)
	}
	return evidence.PlacedFile(bytes.TrimSuffix(line, []byte("\n")), signed, proof)
}

// ActivityAt reads a log entry as [DB.Activity] lists it, with the same error
// as [DB.Entry].
func (db *DB) ActivityAt(ctx context.Context, index int64) (a erasure.Activity, err error) {
	rows, err := db.activityRows(ctx, index+1, 1)
	if err != nil {
		return a, err
	}
	if len(rows) == 0 || rows[0].Index != index {
		return a, errNoEntry
	}
	names, err := db.accountNames(ctx)
	if err != nil {
		return a, err
	}
	return db.activity(ctx, rows[0], names)
}

// newestEntriesQuery leaves out looks: they change nothing of a request, and a
// page of the Deletion Logs would be drawn anew at each.
func newestEntriesQuery(requests int) string {
	return fmt.Sprintf(`SELECT request, MAX(idx) FROM log_entries WHERE request IN %s AND kind <> $%d GROUP BY request`,
		tuples(1, requests), requests+1)
}

// NewestEntries gives the place in the log of each request's newest change. One
// whose entries have all gone after their retention is not among them.
func (db *DB) NewestEntries(ctx context.Context, rs []erasure.Request) (map[erasure.RequestID]int64, error) {
	newest := make(map[erasure.RequestID]int64, len(rs))
	if len(rs) == 0 {
		return newest, nil
	}
	args := make([]any, 0, len(rs)+1)
	for _, r := range rs {
		args = append(args, r.ID[:])
	}
	rows, err := db.reads.QueryContext(ctx, newestEntriesQuery(len(rs)), append(args, string(erasure.ProfileViewed))...)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var id erasure.RequestID
		var index int64
		err := scan(scan16(&id), &index)
		newest[id] = index
		return err
	})
	return newest, err
}

const requestEntriesQuery = `SELECT idx, entry FROM log_entries WHERE request = $1 AND kind <> $2 ORDER BY idx`

// RequestEntries lists what a request went through, the oldest entry first,
// without the looks at it and without who did what: [DB.Activity] tells those.
func (db *DB) RequestEntries(ctx context.Context, id erasure.RequestID) (as []erasure.Activity, err error) {
	rows, err := db.reads.QueryContext(ctx, requestEntriesQuery, id[:], string(erasure.ProfileViewed))
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var r activityRow
		if err := scan(&r.Index, &r.entry); err != nil {
			return err
		}
		e, err := r.read()
		as = append(as, erasure.Activity{Index: r.Index, Time: e.Time, Kind: e.Kind, Reason: e.Reason})
		return err
	})
	return as, err
}

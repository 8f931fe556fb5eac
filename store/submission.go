package store

import (
	"bytes"
	"context"

	"github.com/efface/efface/store/erasure"
)

// submissionsQuery walks down two indexes side by side, for ids of both kinds
// sort by the time they were made at.
const submissionsQuery = `SELECT id, 1 FROM batches WHERE id < $1
	UNION ALL SELECT id, 0 FROM requests WHERE batch IS NULL AND id < $1
	ORDER BY 1 DESC LIMIT $2`

// Submissions lists batches, and requests that are in none, newest first, a
// page at a time. next is the cursor of the page after, or "" at the end.
func (db *DB) Submissions(ctx context.Context, cursor string, limit int) (page []erasure.Submission, next string, err error) {
	below, err := submissionsBelow(cursor)
	if err != nil {
		return nil, "", err
	}
	rows, err := db.reads.QueryContext(ctx, submissionsQuery, below, limit+1)
	if err != nil {
		return nil, "", err
	}
	type listed struct {
		id    [16]byte
		batch bool
	}
	var ids []listed
	err = eachRow(rows, func(scan func(...any) error) error {
		var l listed
		err := scan(scan16(&l.id), &l.batch)
		ids = append(ids, l)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	more := len(ids) > limit
	for _, l := range ids[:min(len(ids), limit)] {
		s, err := db.submission(ctx, l.id, l.batch)
		if err != nil {
			return nil, "", err
		}
		page = append(page, s)
	}
	if more {
		next = page[limit-1].ID()
	}
	return page, next, nil
}

// Submission reads the batch or the request that has an id, also a request
// that is in a batch.
func (db *DB) Submission(ctx context.Context, id string) (erasure.Submission, error) {
	if b, ok := erasure.ParseBatchID(id); ok {
		return db.submission(ctx, b, true)
	}
	if r, ok := erasure.ParseRequestID(id); ok {
		return db.submission(ctx, r, false)
	}
	return erasure.Submission{}, errNoRequest
}

func (db *DB) submission(ctx context.Context, id [16]byte, batch bool) (erasure.Submission, error) {
	if batch {
		b, err := db.Batch(ctx, erasure.BatchID(id))
		return erasure.Submission{Batch: &b}, err
	}
	r, err := db.Request(ctx, erasure.RequestID(id))
	return erasure.Submission{Request: &r}, err
}

// submissionsBelow reads a cursor, which is the last id of the page before.
func submissionsBelow(cursor string) ([]byte, error) {
	if cursor == "" {
		return bytes.Repeat([]byte{0xff}, 16), nil
	}
	if id, ok := erasure.ParseRequestID(cursor); ok {
		return id[:], nil
	}
	if id, ok := erasure.ParseBatchID(cursor); ok {
		return id[:], nil
	}
	return nil, errCursor
}

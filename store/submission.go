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
	ids = ids[:min(len(ids), limit)]
	if len(ids) == 0 {
		return nil, "", nil
	}
	single, err := db.singleRequests(ctx, below, ids[len(ids)-1].id)
	if err != nil {
		return nil, "", err
	}
	for _, l := range ids {
		if l.batch {
			b, err := db.Batch(ctx, l.id)
			if err != nil {
				return nil, "", err
			}
			page = append(page, erasure.Submission{Batch: &b})
			continue
		}
		page = append(page, erasure.Submission{Request: single[l.id]})
	}
	if more {
		next = page[limit-1].ID()
	}
	return page, next, nil
}

const singleRequestsQuery = `SELECT ` + requestColumns + requestTables + ` WHERE r.batch IS NULL AND r.id < $1 AND r.id >= $2`

// singleRequests reads the requests of a page that are in no batch, at once:
// one by one they would be most of what a page costs.
func (db *DB) singleRequests(ctx context.Context, below []byte, last [16]byte) (map[[16]byte]*erasure.Request, error) {
	_, hb := db.now()
	rows, err := db.reads.QueryContext(ctx, singleRequestsQuery, below, last[:])
	if err != nil {
		return nil, err
	}
	single := map[[16]byte]*erasure.Request{}
	return single, eachRow(rows, func(scan func(...any) error) error {
		r, err := db.scanRequest(scan, hb)
		single[r.ID] = &r.Request
		return err
	})
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
	return erasure.Submission{}, ErrNoRequest
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

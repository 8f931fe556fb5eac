package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// The sizes of a page of requests.
const (
	defaultLimit = 50
	maxLimit     = 500
)

// Requests lists requests, newest first, a page at a time. next is the cursor
// of the page after, or "" at the end. Cursors stay good while requests come.
func (db *DB) Requests(ctx context.Context, f erasure.RequestFilter) (rs []erasure.Request, next string, err error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	where, args, err := requestWhere(f)
	if err != nil {
		return nil, "", err
	}
	_, hb := db.now()
	query := `SELECT ` + requestColumns + requestTables + where + fmt.Sprintf(` ORDER BY r.id DESC LIMIT $%d`, len(args)+1)
	rows, err := db.reads.QueryContext(ctx, query, append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		r, err := db.scanRequest(scan, hb)
		rs = append(rs, r.Request)
		return err
	})
	if len(rs) > limit {
		rs = rs[:limit]
		next = rs[limit-1].ID.String()
	}
	return rs, next, err
}

var errCursor = erasure.Errorf(erasure.CodeInvalid, "Use the cursor as the page before gave it.").In("cursor")

// requestWhere writes a filter as a WHERE clause. Only the query's own words
// stand in it; values are arguments, numbered in the order they are used.
func requestWhere(f erasure.RequestFilter) (string, []any, error) {
	var terms []string
	var args []any
	add := func(term string, arg any) {
		args = append(args, arg)
		terms = append(terms, fmt.Sprintf(term, len(args)))
	}
	if f.State != "" {
		add(`r.state = $%d`, string(f.State))
	}
	if f.Origin != "" {
		add(`r.origin = $%d`, string(f.Origin))
	}
	// Ids begin with the millisecond they were made in, so that a span of
	// time is a span of ids.
	if !f.From.IsZero() {
		add(`r.id >= $%d`, firstID(f.From))
	}
	if !f.To.IsZero() {
		add(`r.id < $%d`, firstID(f.To))
	}
	if f.Cursor != "" {
		id, ok := erasure.ParseRequestID(f.Cursor)
		if !ok {
			return "", nil, errCursor
		}
		add(`r.id < $%d`, id[:])
	}
	if q := erasure.CleanPaste(f.Q); q != "" {
		column, value := exactly(q)
		add(column+` = $%d`, value)
	}
	if len(terms) == 0 {
		return "", nil, nil
	}
	return ` WHERE ` + strings.Join(terms, ` AND `), args, nil
}

// exactly says which column a search term is looked for in, by its form.
func exactly(q string) (column string, value any) {
	if id, ok := erasure.ParseRequestID(strings.ToLower(q)); ok {
		return `r.id`, id[:]
	}
	if id, ok := erasure.ParseBatchID(strings.ToLower(q)); ok {
		return `r.batch`, id[:]
	}
	if id, err := uuid.Parse(q); err == nil {
		return `r.efface_id`, id[:]
	}
	return `r.reference <> '' AND r.reference`, q // the index holds no empty ones
}

func firstID(t time.Time) []byte {
	var id [16]byte
	ms := max(0, t.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	return id[:]
}

package store

import (
	"context"
	"time"

	"github.com/efface/efface/store/erasure"
)

// Gauges are the figures of a store that is watched.
type Gauges struct {
	Status
	Requests map[erasure.State]int // every request by its state
	// Overdue is for how long the oldest open request has been due; zero
	// where none is.
	Overdue time.Duration
}

// Gauges reads the store's figures.
func (db *DB) Gauges(ctx context.Context) (g Gauges, err error) {
	g.Status = db.Status()
	if g.Requests, err = db.requestsByState(ctx); err != nil {
		return g, err
	}
	_, hb := db.now()
	var due *int64
	err = db.reads.QueryRowContext(ctx, `SELECT MIN(due) FROM requests WHERE state IN ('pending', 'in_progress', 'failed')`).Scan(&due)
	if due != nil {
		g.Overdue = time.Duration(max(0, hb.Store-*due)) * time.Millisecond
	}
	return g, err
}

func (db *DB) requestsByState(ctx context.Context) (map[erasure.State]int, error) {
	rows, err := db.reads.QueryContext(ctx, `SELECT state, COUNT(*) FROM requests GROUP BY state`)
	if err != nil {
		return nil, err
	}
	in := map[erasure.State]int{}
	return in, eachRow(rows, func(scan func(...any) error) error {
		var state string
		var n int
		err := scan(&state, &n)
		in[erasure.State(state)] = n
		return err
	})
}

package store

import (
	"context"
	"time"

	"github.com/efface/efface/store/erasure"
)

// Gauges are the figures of a store that is watched.
type Gauges struct {
	erasure.Status
	Requests map[erasure.State]int // every request by its state
	// Overdue is for how long the oldest open request has been due; zero
	// where none is.
	Overdue time.Duration
	Returns erasure.Returns // calls that came with what is suppressed, ever
}

// Gauges reads the store's figures.
func (db *DB) Gauges(ctx context.Context) (g Gauges, err error) {
	g.Status = db.Status()
	if g.Returns, err = db.returns(ctx, everyRequest); err != nil {
		return g, err
	}
	if g.Requests, _, err = db.RequestCounts(ctx); err != nil {
		return g, err
	}
	_, hb := db.now()
	var pending, underway *int64
	if err = db.reads.QueryRowContext(ctx, oldestDueQuery).Scan(&pending, &underway); err != nil {
		return g, err
	}
	for _, due := range []*int64{pending, underway} {
		if due != nil {
			g.Overdue = max(g.Overdue, time.Duration(hb.Store-*due)*time.Millisecond)
		}
	}
	return g, nil
}

// oldestDueQuery is worded as workQuery is. A request that is joined is due
// when the other one is.
const oldestDueQuery = `SELECT
	(SELECT due FROM requests WHERE state = 'pending' AND joined IS NULL AND due > 0 ORDER BY due LIMIT 1),
	(SELECT MIN(due) FROM requests WHERE state IN ('in_progress', 'failed') AND joined IS NULL)`

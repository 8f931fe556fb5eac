package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/efface/efface/store/erasure"
)

// Gauges reads the store's figures. It counts no table.
func (db *DB) Gauges(ctx context.Context) (g erasure.Gauges, err error) {
	now, hb := db.now()
	g.Status, g.At = db.Status(), now
	if g.Returns, err = db.returns(ctx, everyRequest); err != nil {
		return g, err
	}
	if g.Requests, _, err = db.RequestCounts(ctx); err != nil {
		return g, err
	}
	var pending, underway *int64
	if err = db.reads.QueryRowContext(ctx, oldestDueQuery).Scan(&pending, &underway); err != nil {
		return g, err
	}
	for _, due := range []*int64{pending, underway} {
		if due != nil {
			g.Overdue = max(g.Overdue, time.Duration(hb.Store-*due)*time.Millisecond)
		}
	}
	if err = db.reads.QueryRowContext(ctx, dueQuery, hb.Passed(), erasure.MostDue).Scan(&g.Due); err != nil {
		return g, err
	}
	err = db.reads.QueryRowContext(ctx, newestTestQuery, string(erasure.TestPerson)).Scan(scanTime(&g.Planted), scanTime(&g.Erased))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return g, err
	}
	var signed, swept *int64
	err = db.reads.QueryRowContext(ctx, upkeepQuery).Scan(&g.Signed, &signed, &swept, scanTime(&g.Scrubbed), scanTime(&g.BackedUp), &g.Schema)
	if err != nil {
		return g, err
	}
	g.SignedAt, g.Swept = wallTime(now, hb.Store, signed), wallTime(now, hb.Passed(), swept)
	g.Disks = db.disks()
	return g, nil
}

// wallTime tells when an instant of the store's time was; zero where there was
// none.
func wallTime(now time.Time, store int64, instant *int64) time.Time {
	if instant == nil {
		return time.Time{}
	}
	return now.Add(-time.Duration(store-*instant) * time.Millisecond)
}

// oldestDueQuery is worded as workQuery is. A request that is joined is due
// when the other one is.
const oldestDueQuery = `SELECT
	(SELECT due FROM requests WHERE state = 'pending' AND joined IS NULL AND due > 0 ORDER BY due LIMIT 1),
	(SELECT MIN(due) FROM requests WHERE state IN ('in_progress', 'failed') AND joined IS NULL)`

const dueQuery = `SELECT COUNT(*) FROM
	(SELECT 1 FROM requests WHERE state = 'pending' AND joined IS NULL AND due > 0 AND due <= $1 LIMIT $2) AS d`

const newestTestQuery = `SELECT requested_at, finished_at FROM requests WHERE origin = $1 ORDER BY id DESC LIMIT 1`

const upkeepQuery = `SELECT COALESCE((SELECT size FROM checkpoints ORDER BY size DESC LIMIT 1), 0),
	(SELECT made FROM checkpoints ORDER BY size DESC LIMIT 1), (SELECT done FROM sweeps),
	COALESCE((SELECT done_at FROM scrubs ORDER BY begun DESC LIMIT 1), 0), backed_up, (SELECT MAX(n) FROM schema_version) FROM store`

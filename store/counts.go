package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/efface/efface/store/erasure"
)

// move is a request's change of state. It is logged, and the counts of where
// requests stand are kept by what the log is told.
type move struct {
	entry     erasure.Entry
	table     erasure.Table
	destroyed bool // its keys were gone before
}

// place is where requests are counted.
type place struct {
	table     erasure.Table
	state     erasure.State
	destroyed bool
}

// batchPlace is where the requests of a batch are counted.
type batchPlace struct {
	batch erasure.BatchID
	state erasure.State
}

// from is where a request stood; its state is "" before it is made.
func (m move) from() place { return place{m.table, m.entry.From, m.destroyed} }

func (m move) to() place {
	return place{m.table, m.entry.To, m.destroyed || m.entry.Kind == erasure.KeysDestroyed}
}

// writeCounts adds up what a commit's entries moved, so that it costs one or
// two statements however many they are.
func (t *tx) writeCounts() error {
	requests, batches := map[place]int{}, map[batchPlace]int{}
	for _, p := range t.entries {
		if p.table == "" {
			continue
		}
		from, to := p.from(), p.to()
		requests[from]--
		requests[to]++
		if b := p.entry.Batch; b != nil {
			batches[batchPlace{*b, from.state}]--
			batches[batchPlace{*b, to.state}]++
		}
	}
	for chunk := range slices.Chunk(changed(requests, func(p place) bool { return p.state == "" }), entriesAtOnce) {
		if err := t.addRequestCounts(chunk, requests); err != nil {
			return fmt.Errorf("counting requests: %w", err)
		}
	}
	for chunk := range slices.Chunk(changed(batches, func(p batchPlace) bool { return p.state == "" }), entriesAtOnce) {
		if err := t.addBatchCounts(chunk, batches); err != nil {
			return fmt.Errorf("counting the requests of batches: %w", err)
		}
	}
	return nil
}

// changed lists the places whose count is another one now.
func changed[P comparable](counts map[P]int, nowhere func(P) bool) []P {
	maps.DeleteFunc(counts, func(p P, n int) bool { return n == 0 || nowhere(p) })
	return slices.Collect(maps.Keys(counts))
}

func (t *tx) addRequestCounts(places []place, by map[place]int) error {
	var args []any
	for _, p := range places {
		args = append(args, string(p.table), string(p.state), p.destroyed, by[p])
	}
	_, err := t.exec(`INSERT INTO request_counts (table_, state, destroyed, requests) VALUES `+tuples(len(places), 4)+`
		ON CONFLICT (table_, state, destroyed) DO UPDATE SET requests = request_counts.requests + excluded.requests`, args...)
	return err
}

// addBatchCounts takes a commit's time for that at which its requests ended. Those
// that are open again, after a restore, have not ended at it.
func (t *tx) addBatchCounts(places []batchPlace, by map[batchPlace]int) error {
	var args []any
	for _, p := range places {
		finished := int64(0)
		if !p.state.Open() && by[p] > 0 {
			finished = t.now.UnixMilli()
		}
		args = append(args, p.batch[:], string(p.state), by[p], finished)
	}
	_, err := t.exec(`INSERT INTO batch_counts (batch, state, requests, finished_at) VALUES `+tuples(len(places), 4)+`
		ON CONFLICT (batch, state) DO UPDATE SET requests = batch_counts.requests + excluded.requests,
			finished_at = CASE WHEN excluded.finished_at > batch_counts.finished_at THEN excluded.finished_at ELSE batch_counts.finished_at END`, args...)
	return err
}

// RequestCounts tells how many requests there are in each state. destroyed are
// those in progress whose keys are gone already.
func (db *DB) RequestCounts(ctx context.Context) (in map[erasure.State]int, destroyed int, err error) {
	in = map[erasure.State]int{}
	rows, err := db.reads.QueryContext(ctx, `SELECT state, destroyed, requests FROM request_counts`)
	if err != nil {
		return nil, 0, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var state string
		var gone bool
		var n int
		err := scan(&state, &gone, &n)
		in[erasure.State(state)] += n
		if gone && erasure.State(state) == erasure.InProgress {
			destroyed += n
		}
		return err
	})
	return in, destroyed, err
}

// missingQuery is one statement, so that both counts are of one moment.
const missingQuery = `SELECT (SELECT COUNT(*) FROM requests WHERE state = $1 AND table_ = $2) -
	(SELECT COALESCE(SUM(requests), 0) FROM request_counts WHERE state = $1 AND table_ = $2)`

// sweepCounts counts every request once a day, and tells of what was kept
// wrong.
func (db *DB) sweepCounts(ctx context.Context, _ SweepOptions, _ *Swept) error {
	for _, table := range []erasure.Table{erasure.User, erasure.Group} {
		for _, state := range erasure.States {
			var missing int
			if err := db.reads.QueryRowContext(ctx, missingQuery, string(state), string(table)).Scan(&missing); err != nil {
				return fmt.Errorf("counting requests: %w", err)
			}
			if missing != 0 {
				db.log.Error("requests are counted wrongly", "table", string(table), "state", string(state), "missing", missing)
			}
		}
	}
	return nil
}

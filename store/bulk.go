package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

var errNoBulk = erasure.Errorf(erasure.CodeNotFound, "There is no such list; it may have been given up, or have waited for over 24 hours.")

// bulk is a list's row.
type bulk struct {
	erasure.Bulk
	origin  erasure.Origin
	reason  []byte
	expires int64 // store time, at which it is destroyed; once it is done, its results
	chunks  int
	next    int
	key     *seal.Ref // nil once destroyed
}

const bulkColumns = `batch, stage, origin, actor_kind, actor_id, reference, suppress, reason, sent_at, expires, lines, chunks, next, done, found, attempts, key_row, key_id`

func scanBulk(scan func(...any) error, hb erasure.Heartbeat, now time.Time) (b bulk, err error) {
	var stage, origin, actor string
	var found []byte
	var keyRow sql.NullInt64
	var keyID *[16]byte
	err = scan(scan16(&b.ID), &stage, &origin, &actor, scan16(&b.Actor.ID), &b.Reference, &b.Suppress, &b.reason, scanTime(&b.SentAt),
		&b.expires, &b.Lines, &b.chunks, &b.next, &b.Done, &found, &b.Attempts, &keyRow, scanNull16(&keyID))
	if err != nil {
		return b, err
	}
	b.Stage, b.origin, b.Actor.Kind = erasure.Stage(stage), erasure.Origin(origin), erasure.ActorKind(actor)
	if b.expires > 0 && b.Stage != erasure.Done {
		b.Expires = now.Add(time.Duration(b.expires-hb.Store) * time.Millisecond)
	}
	if keyRow.Valid && keyID != nil {
		b.key = &seal.Ref{Row: keyRow.Int64, ID: *keyID}
	}
	return b, json.Unmarshal(found, &b.Found)
}

func (b bulk) gone(hb erasure.Heartbeat) bool {
	return b.Stage == discarded || b.expires > 0 && b.expires <= hb.Passed()
}

func (db *DB) readBulk(ctx context.Context, id erasure.BatchID) (bulk, error) {
	now, hb := db.now()
	b, err := scanBulk(db.reads.QueryRowContext(ctx, `SELECT `+bulkColumns+` FROM spools WHERE batch = $1`, id[:]).Scan, hb, now)
	if errors.Is(err, sql.ErrNoRows) || err == nil && b.gone(hb) {
		return b, errNoBulk
	}
	return b, err
}

func (t *tx) bulk(id erasure.BatchID) (bulk, error) {
	b, err := scanBulk(t.row(`SELECT `+bulkColumns+` FROM spools WHERE batch = $1`, id[:]).Scan, t.hb, t.now)
	if errors.Is(err, sql.ErrNoRows) || err == nil && b.gone(t.hb) {
		return b, errNoBulk
	}
	return b, err
}

// Bulk reads a list's state. Its error is [erasure.CodeNotFound] also where the
// list was given up or has expired.
func (db *DB) Bulk(ctx context.Context, id erasure.BatchID) (erasure.Bulk, error) {
	b, err := db.readBulk(ctx, id)
	if err != nil || b.Stage != erasure.Queueing && b.Stage != erasure.Done {
		return b.Bulk, err
	}
	batch, err := db.Batch(ctx, id)
	b.Bulk.Batch = &batch
	return b.Bulk, err
}

// ConfirmBulk gives a checked list to be queued, where it would ask for exactly
// so many profiles; else, or where it was confirmed before, it is an
// [erasure.CodeConflict] about "confirm".
func (db *DB) ConfirmBulk(ctx context.Context, id erasure.BatchID, actor erasure.Actor, profiles int) error {
	return db.write(ctx, func(t *tx) error {
		if _, err := t.stands(actor, erasure.Admin, erasure.Staff); err != nil {
			return err
		}
		b, err := t.bulk(id)
		switch {
		case err != nil:
			return err
		case b.Stage == erasure.Queueing || b.Stage == erasure.Done:
			return erasure.Errorf(erasure.CodeConflict, "This list was confirmed before.").In("confirm")
		case b.Stage != erasure.Checked:
			return erasure.Errorf(erasure.CodeConflict, "Wait until the list is checked.").In("confirm")
		case b.Found.Matched != profiles:
			return erasure.Errorf(erasure.CodeConflict, "Type the number of profiles that this list asks for, as it stands above.").In("confirm")
		}
		_, err = t.exec(`UPDATE spools SET stage = $1, expires = 0, next = 0, done = 0, attempts = 0, actor_kind = $2, actor_id = $3 WHERE batch = $4`,
			string(erasure.Queueing), string(actor.Kind), actor.ID[:], id[:])
		if err != nil {
			return err
		}
		return t.confirmed(id)
	})
}

// DiscardBulk destroys a list that was not confirmed.
func (db *DB) DiscardBulk(ctx context.Context, id erasure.BatchID, actor erasure.Actor) error {
	err := db.write(ctx, func(t *tx) error {
		if _, err := t.stands(actor, erasure.Admin, erasure.Staff); err != nil {
			return err
		}
		b, err := t.bulk(id)
		switch {
		case err != nil:
			return err
		case b.Stage != erasure.Checking && b.Stage != erasure.Checked:
			return erasure.Errorf(erasure.CodeConflict, "This list was confirmed before; cancel the batch instead.")
		}
		_, err = t.exec(`UPDATE spools SET stage = $1 WHERE batch = $2`, string(discarded), id[:])
		return err
	})
	if err != nil {
		return err
	}
	_, err = db.destroySpool(ctx, id) // where that is busy, DestroySpools goes on
	return err
}

// NoteBulkFailure notes that checking or queueing a list failed, so that it is
// unfinished again later each time: after a second first, after ten minutes at
// most. It returns how many times it has failed.
func (db *DB) NoteBulkFailure(ctx context.Context, id erasure.BatchID) (tries int, err error) {
	err = db.write(ctx, func(t *tx) error {
		b, err := t.bulk(id)
		if err != nil {
			return err
		}
		tries = b.Attempts + 1
		_, err = t.exec(`UPDATE spools SET attempts = $1, retry = $2 WHERE batch = $3`, tries, t.hb.Store+backoff(tries).Milliseconds(), id[:])
		return err
	})
	return tries, err
}

// UnfinishedBulks lists the lists that are to be checked or queued by now and
// that nobody is queueing by this DB.
func (db *DB) UnfinishedBulks(ctx context.Context) ([]erasure.Bulk, error) {
	_, hb := db.now()
	bulks, err := db.bulks(ctx, `key_id IS NOT NULL AND stage IN ('checking', 'queueing') AND retry <= $1 ORDER BY batch`, hb.Store)
	return slices.DeleteFunc(bulks, func(b erasure.Bulk) bool {
		_, taken := db.queueing.Load(b.ID)
		return taken
	}), err
}

// bulksShown is how many lists are shown where one is looked for.
const bulksShown = 20

// NewestBulks lists what was sent to the console last and came whole, newest
// first, without the batches that it became.
func (db *DB) NewestBulks(ctx context.Context) ([]erasure.Bulk, error) {
	return db.bulks(ctx, `origin = 'console' AND stage IN ('checking', 'checked', 'queueing', 'done') ORDER BY batch DESC LIMIT $1`, bulksShown)
}

func (db *DB) bulks(ctx context.Context, which string, args ...any) (bulks []erasure.Bulk, err error) {
	now, hb := db.now()
	rows, err := db.reads.QueryContext(ctx, `SELECT `+bulkColumns+` FROM spools WHERE `+which, args...)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		b, err := scanBulk(scan, hb, now)
		if err == nil && !b.gone(hb) {
			bulks = append(bulks, b.Bulk)
		}
		return err
	})
	return bulks, err
}

// BulkResults calls fn with the result of each line, in their order, of a list
// that is done. A line of a cancelled list that was not reached has none.
func (db *DB) BulkResults(ctx context.Context, id erasure.BatchID, fn func(erasure.LineResult) error) error {
	b, err := db.readBulk(ctx, id)
	if err != nil {
		return err
	}
	for n := range b.next {
		var packed []byte
		err := db.reads.QueryRowContext(ctx, `SELECT results FROM bulk_results WHERE batch = $1 AND n = $2`, id[:], n).Scan(&packed)
		if err != nil {
			return fmt.Errorf("reading chunk %d of the results of %s: %w", n, id, err)
		}
		var results []erasure.LineResult
		if err := unpack(packed, &results); err != nil {
			return fmt.Errorf("chunk %d of the results of %s: %w", n, id, err)
		}
		for _, r := range results {
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

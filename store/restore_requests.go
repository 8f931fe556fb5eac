package store

import (
	"bytes"
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/efface/efface/store/erasure"
)

// redoRequests gives every request that the log tells of since the backup, and
// every one that is open, the state in which the log leaves it. Those that have
// ended come first: a profile has one open request.
func (t *tx) redoRequests() error {
	h := &t.db.restoring.history
	ids := map[erasure.RequestID]bool{}
	for id := range h.requests {
		ids[id] = true
	}
	for id := range h.asked {
		ids[id] = true
	}
	err := t.each(func(scan func(...any) error) error {
		var id erasure.RequestID
		err := scan(scan16(&id))
		ids[id] = true
		return err
	}, `SELECT id FROM requests WHERE state IN ('pending', 'in_progress', 'failed')`)
	if err != nil {
		return err
	}
	var ended, open []erasure.RequestID
	for _, id := range slices.SortedFunc(maps.Keys(ids), compareIDs) {
		if r := h.requests[id]; r != nil && r.state != "" && !r.state.Open() {
			ended = append(ended, id)
		} else {
			open = append(open, id)
		}
	}
	for _, id := range slices.Concat(ended, open) {
		if err := t.redoRequest(id); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	for _, id := range open {
		if err := t.claimAgain(id); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return t.forgetErased()
}

func compareIDs(a, b erasure.RequestID) int { return bytes.Compare(a[:], b[:]) }

func (t *tx) redoRequest(id erasure.RequestID) error {
	h := &t.db.restoring.history
	r, err := t.request(id)
	isNew := errors.Is(err, ErrNoRequest)
	if err != nil && !isNew {
		return err
	}
	since := h.requests[id]
	if since == nil {
		since = &sinceBackup{}
	}
	asked, isAsked := h.asked[id]
	if isNew && !isAsked && since.made == nil {
		return nil // its entry's content has gone
	}
	if isNew {
		t.db.restoring.Did.Requests++
		r.Request = t.madeSince(id, since, asked)
	}
	since.whole = !isNew && !r.FromLog && !since.changed
	t.bringTo(&r, since)
	r.FromLog = r.FromLog || (!isAsked || asked.FromLog) && (isNew || since.changed || r.State == erasure.Completed && !since.finished.IsZero())
	if err := t.redoSealed(&r, since, asked, isAsked); err != nil {
		return err
	}
	if err := t.putRequest(r); err != nil || r.State == erasure.InProgress || r.State == erasure.Failed {
		return err
	}
	for _, query := range []string{`DELETE FROM erasure_keys WHERE request = $1`, `DELETE FROM erasure_checks WHERE request = $1`, `DELETE FROM check_hits WHERE request = $1`} {
		if _, err := t.exec(query, id[:]); err != nil {
			return err
		}
	}
	return nil
}

// redoSealed gives a request in its state whom it is for and what is sealed of it.
func (t *tx) redoSealed(r *request, since *sinceBackup, asked askedFor, isAsked bool) error {
	if !r.State.Open() {
		t.db.restoring.Did.Ended++
	}
	if r.State.Open() && isAsked {
		if err := t.askAgain(r, asked, since.lost); err != nil {
			return err
		}
	}
	if r.State.Open() && r.KeysDestroyedAt.IsZero() {
		return t.rekey(r, asked)
	}
	if r.State != erasure.Cancelled {
		r.key, r.asked, r.reason = nil, nil, nil
	}
	if r.State == erasure.Completed {
		r.profile = sql.NullInt64{}
	}
	return nil
}

// madeSince is a request that is not in the backup. Of one that is not open the log
// alone tells: not of which table it is, and not until when it could be cancelled.
func (t *tx) madeSince(id erasure.RequestID, since *sinceBackup, asked askedFor) (r erasure.Request) {
	r = erasure.Request{ID: id, Table: erasure.User, State: erasure.Pending}
	if e := since.made; e != nil {
		r.Batch, r.Origin, r.Reference, r.Actor, r.RequestedAt = e.Batch, e.Origin, e.Reference, e.Actor, e.Time
	}
	if asked.Table == "" {
		if dead := t.db.restoring.keys.dead[id]; len(dead) > 0 {
			r.Table = dead[0].table
		}
		return r
	}
	r.Table, r.Origin, r.Reference, r.FromLog = asked.Table, asked.Origin, asked.Reference, asked.FromLog
	r.Actor = erasure.Actor{Kind: asked.ActorKind, ID: asked.ActorID}
	r.RequestedAt = time.UnixMilli(asked.RequestedAt)
	if b, ok := erasure.ParseBatchID(asked.Batch); ok {
		r.Batch = &b
	}
	return r
}

// bringTo gives a request what the log tells of it since the backup.
func (t *tx) bringTo(r *request, since *sinceBackup) {
	since.state = cmp.Or(since.state, r.State)
	r.State = since.state
	r.Suppress = r.Suppress || t.db.restoring.history.wanted[r.ID]
	for _, at := range []struct {
		told time.Time
		is   *time.Time
	}{{since.started, &r.StartedAt}, {since.destroyed, &r.KeysDestroyedAt}, {since.finished, &r.FinishedAt}} {
		if !at.told.IsZero() {
			*at.is = at.told
		}
	}
	if since.counts != nil {
		r.Identifiers, r.Records = since.counts.Identifiers, since.counts.Records
	}
	if r.State.Open() {
		r.FinishedAt, r.CheckedAt = time.Time{}, time.Time{}
	} else {
		r.waiting = nil
	}
	if r.State == erasure.Completed {
		r.CheckedAt = r.FinishedAt
	}
}

const putRequestQuery = `INSERT INTO requests (id, batch, table_, profile, efface_id, waiting, joined, state, origin, actor_kind, actor_id,

		reference, suppress, requested_at, cancel_before, due, started_at, keys_destroyed_at, finished_at, finished, checked_at,
		identifiers, records, key_row, key_id, asked, reason, from_log)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)
	ON CONFLICT (id) DO UPDATE SET profile = excluded.profile, efface_id = excluded.efface_id, waiting = excluded.waiting, joined = excluded.joined,
		state = excluded.state, suppress = excluded.suppress, cancel_before = excluded.cancel_before, started_at = excluded.started_at, keys_destroyed_at = excluded.keys_destroyed_at,
		finished_at = excluded.finished_at, finished = excluded.finished, checked_at = excluded.checked_at, retry = 0,
		identifiers = excluded.identifiers, records = excluded.records,
		key_row = excluded.key_row, key_id = excluded.key_id, asked = excluded.asked, reason = excluded.reason, from_log = excluded.from_log`

func (t *tx) putRequest(r request) error {
	var keyRow, keyID any
	if r.key != nil {
		keyRow, keyID = r.key.Row, r.key.ID[:]
	}
	var finished int64
	if !r.FinishedAt.IsZero() {
		finished = storeTime(t.now, t.hb, r.FinishedAt)
	}
	_, err := t.exec(putRequestQuery, r.ID[:], null16(r.Batch), string(r.Table), r.profile, null16(r.EffaceID), r.waiting, null16(r.Joined),
		string(r.State), string(r.Origin), string(r.Actor.Kind), r.Actor.ID[:], r.Reference, r.Suppress, r.RequestedAt.UnixMilli(),
		millisOf(r.CancelBefore), r.due, millisOf(r.StartedAt), millisOf(r.KeysDestroyedAt), millisOf(r.FinishedAt), finished,
		millisOf(r.CheckedAt), r.Identifiers, r.Records, keyRow, keyID, r.asked, r.reason, r.FromLog)
	return err
}

// recount counts the requests anew, of all and of batches.
func (t *tx) recount() error {
	for _, query := range []string{
		`INSERT INTO batches (id, origin, actor_kind, actor_id, reference, requested_at, requested, matched)
			SELECT batch, MIN(origin), MIN(actor_kind), MIN(actor_id), MIN(reference), MIN(requested_at), COUNT(*), COUNT(*) FROM requests
			WHERE batch IS NOT NULL GROUP BY batch ON CONFLICT DO NOTHING`,
		`DELETE FROM request_counts`,
		`INSERT INTO request_counts (table_, state, destroyed, requests)
			SELECT table_, state, keys_destroyed_at > 0, COUNT(*) FROM requests GROUP BY 1, 2, 3`,
		`DELETE FROM batch_counts`,
		`INSERT INTO batch_counts (batch, state, requests, finished_at)
			SELECT batch, state, COUNT(*), MAX(finished_at) FROM requests WHERE batch IS NOT NULL GROUP BY 1, 2`,
	} {
		if _, err := t.exec(query); err != nil {
			return err
		}
	}
	return nil
}

// redateBatches takes from batches the time when requests ended that are open
// again; how many stand where, the moves tell.
func (t *tx) redateBatches() error {
	_, err := t.exec(`UPDATE batch_counts SET finished_at = COALESCE((SELECT MAX(r.finished_at) FROM requests r
		WHERE r.batch = batch_counts.batch AND r.state = batch_counts.state), 0) WHERE state = 'completed'`)
	return err
}

// renewWindows lets every pending request be cancelled for a full window again:
// while nothing was served, nobody could.
func (t *tx) renewWindows() error {
	window := t.db.options.CancelWindow
	n, err := t.exec(`UPDATE requests SET due = $1, cancel_before = $2, renewed_at = $3 WHERE state = 'pending'`,
		t.hb.Store+window.Milliseconds(), t.now.Add(window).UnixMilli(), t.now.UnixMilli())
	t.db.restoring.Did.Pending = int(n)
	return err
}

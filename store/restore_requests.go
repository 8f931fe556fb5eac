package store

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
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
	since, asked, isAsked := h.requests[id], askedFor{}, false
	if since == nil {
		since = &sinceBackup{}
	}
	if since.state == "" {
		since.state = r.State
	}
	if asked, isAsked = h.asked[id]; !isAsked && isNew && since.made == nil {
		return nil // its entry's content has gone
	}
	if isNew {
		t.db.restoring.did.Requests++
		r.Request = t.madeSince(id, since, asked)
	}
	since.whole = !isNew && !r.FromLog && !since.changed
	if !since.state.Open() {
		t.db.restoring.did.Ended++
	}
	t.bringTo(&r, since)
	r.FromLog = r.FromLog || (!isAsked || asked.FromLog) && (isNew || since.changed || r.State == erasure.Completed && !since.finished.IsZero())
	if r.State.Open() && isAsked {
		if err := t.askAgain(&r, asked, since.lost); err != nil {
			return err
		}
	}
	if r.State.Open() && r.KeysDestroyedAt.IsZero() {
		if err := t.rekey(&r, asked); err != nil {
			return err
		}
	}
	if r.State == erasure.Completed || r.State.Open() && !r.KeysDestroyedAt.IsZero() {
		r.key, r.asked, r.reason = nil, nil, nil
	}
	if r.State == erasure.Completed {
		r.profile = sql.NullInt64{}
	}
	if err := t.putRequest(r); err != nil {
		return err
	}
	if r.State == erasure.InProgress || r.State == erasure.Failed {
		return nil
	}
	for _, query := range []string{`DELETE FROM erasure_keys WHERE request = $1`, `DELETE FROM erasure_checks WHERE request = $1`, `DELETE FROM check_hits WHERE request = $1`} {
		if _, err := t.exec(query, id[:]); err != nil {
			return err
		}
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

// askAgain gives an open request what the witness keeps of it.
func (t *tx) askAgain(r *request, a askedFor, lost []uuid.UUID) error {
	if a.FromLog && !r.FromLog { // the backup knows more
		a.EffaceID, a.Suppress, a.CancelBefore = r.EffaceID, r.Suppress, millisOf(r.CancelBefore)
	}
	r.Suppress, r.CancelBefore = a.Suppress, timeOf(a.CancelBefore)
	if id, ok := erasure.ParseRequestID(a.Joined); ok {
		r.Joined = &id
	}
	return t.aim(r, a, lost)
}

// rekey seals what was asked for under a new key where the request's own is not
// in the keyring.
func (t *tx) rekey(r *request, a askedFor) error {
	if r.key != nil && t.db.restoring.keys.holds(r.key.ID) {
		return nil
	}
	k, err := t.newKey()
	if err != nil {
		return err
	}
	t.db.restoring.keys.made[k.Ref.ID] = true
	r.key, r.asked, r.reason = &k.Ref, nil, nil
	if a.Key != "" {
		r.asked = k.Seal(joinAsked(identifier{key: a.Key, value: a.Value}), askedAD())
	}
	if a.Reason != "" {
		r.reason = k.Seal([]byte(a.Reason), seal.AD{Table: "requests", Column: "reason"})
	}
	return nil
}

// aim finds the profile that a request is for, or was for when a restore lost
// it. Where that came after the backup it waits for the identifier asked for, so
// that nobody else is taken for them.
func (t *tx) aim(r *request, a askedFor, lost []uuid.UUID) error {
	r.profile, r.waiting = sql.NullInt64{}, nil
	if a.EffaceID != nil {
		lost = append([]uuid.UUID{*a.EffaceID}, lost...)
	}
	for _, id := range lost {
		p, err := t.profileOfID(id)
		if err == nil {
			r.profile, r.EffaceID = sql.NullInt64{Int64: p.id, Valid: true}, &p.efface
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	if r.EffaceID = a.EffaceID; r.EffaceID != nil {
		t.log(erasure.Entry{Kind: erasure.ProfileLost, Request: &r.ID, Batch: r.Batch, Origin: r.Origin, Reference: r.Reference,
			Actor: erasure.System, Profiles: []uuid.UUID{*a.EffaceID}})
	}
	if r.State != erasure.Pending || r.Joined != nil || a.Key == "" || a.Key == effaceIDKey {
		return nil
	}
	mac := fingerprint(t.db.secrets.waiting, a.Table, a.Key, a.Value)
	var other bool // asked for with the same identifier: one of them waits for it
	err := t.row(`SELECT EXISTS (SELECT 1 FROM requests WHERE waiting = $1 AND profile IS NULL AND state = 'pending' AND id <> $2)`,
		mac[:], r.ID[:]).Scan(&other)
	if err == nil && !other {
		r.waiting = mac[:]
	}
	return err
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

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// requestColumns are read by scanRequest. Who asked is looked up here and
// never stored with the request.
const requestColumns = `id, batch, table_, profile, efface_id, joined, state, origin, actor_kind, actor_id,
	COALESCE((SELECT o.email FROM operators o WHERE actor_kind = 'operator' AND o.id = actor_id),
		(SELECT 'key:' || k.name FROM api_keys k WHERE actor_kind = 'key' AND k.id = actor_id), actor_kind),
	reference, suppress, requested_at, cancel_before, due, started_at, keys_destroyed_at, finished_at,
	identifiers, records, attempts, last_error, key_row, key_id, asked, reason, checked_at, renewed_at, from_log,
	EXISTS (SELECT 1 FROM check_hits h WHERE h.request = r.id),
	CASE WHEN state = 'completed' THEN (SELECT s.done_at FROM scrubs s WHERE s.begun > r.finished ORDER BY s.begun LIMIT 1) END`

const requestTables = ` FROM requests r`

// request is a request's row.
type request struct {
	erasure.Request
	profile       sql.NullInt64
	due           int64
	key           *seal.Ref // nil once destroyed
	asked, reason []byte
	waiting       []byte // of a new request: the fingerprint of an identifier that nothing is known of
	hit           bool   // the check after the deletion found something
}

func scanRequest(scan func(...any) error, hb erasure.Heartbeat) (r request, err error) {
	var table, state, origin, actor string
	var keyRow, cleared sql.NullInt64
	var keyID *[16]byte
	err = scan(scan16(&r.ID), scanNull16(&r.Batch), &table, &r.profile, scanNull16(&r.EffaceID), scanNull16(&r.Joined),
		&state, &origin, &actor, scan16(&r.Actor.ID), &r.RequestedBy, &r.Reference, &r.Suppress,
		scanTime(&r.RequestedAt), scanTime(&r.CancelBefore), &r.due, scanTime(&r.StartedAt), scanTime(&r.KeysDestroyedAt),
		scanTime(&r.FinishedAt), &r.Identifiers, &r.Records, &r.Attempts, &r.LastError, &keyRow, scanNull16(&keyID), &r.asked, &r.reason,
		scanTime(&r.CheckedAt), scanTime(&r.RenewedAt), &r.FromLog, &r.hit, &cleared)
	r.Table, r.State, r.Origin = erasure.Table(table), erasure.State(state), erasure.Origin(origin)
	r.Request.Actor.Kind = erasure.ActorKind(actor)
	if keyRow.Valid && keyID != nil {
		r.key = &seal.Ref{Row: keyRow.Int64, ID: *keyID}
	}
	if cleared.Valid {
		r.ClearedAt = millis(cleared.Int64)
	}
	r.reckon(hb)
	return r, err
}

// scanRequest is that of reads beside a write. A request is shown completed once
// the witness has it too.
func (db *DB) scanRequest(scan func(...any) error, hb erasure.Heartbeat) (request, error) {
	r, err := scanRequest(scan, hb)
	if r.State == erasure.Completed && db.witness.unseen.has(r.ID) {
		r.State, r.FinishedAt, r.CheckedAt, r.ClearedAt = erasure.InProgress, time.Time{}, time.Time{}, time.Time{}
	}
	return r, err
}

// reckon says how long a pending request may still be cancelled.
func (r *request) reckon(hb erasure.Heartbeat) {
	if r.State == erasure.Pending {
		r.Cancellable = !passed(r.due, hb)
		r.Remaining = time.Duration(max(0, r.due-hb.Passed())) * time.Millisecond
	}
}

// passed is the one rule for "the window has passed". The claim's and the
// cancel's SQL compare due with the same [erasure.Heartbeat.Passed].
func passed(due int64, hb erasure.Heartbeat) bool { return due <= hb.Passed() }

// ErrNoRequest is what reading or changing a request gives where there is none.
var ErrNoRequest = erasure.Errorf(erasure.CodeNotFound, "There is no deletion request with this id.")

// Request reads a request without what is sealed of it.
func (db *DB) Request(ctx context.Context, id erasure.RequestID) (erasure.Request, error) {
	r, err := db.readRequest(ctx, id)
	return r.Request, err
}

func (db *DB) readRequest(ctx context.Context, id erasure.RequestID) (request, error) {
	_, hb := db.now()
	r, err := db.scanRequest(db.reads.QueryRowContext(ctx, `SELECT `+requestColumns+requestTables+` WHERE r.id = $1`, id[:]).Scan, hb)
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNoRequest
	}
	return r, err
}

// RequestDetails also opens the identifier asked for and the reason. It is a
// look at the person, and logged as one.
func (db *DB) RequestDetails(ctx context.Context, actor erasure.Actor, id erasure.RequestID) (erasure.Request, error) {
	r, err := db.readRequest(ctx, id)
	if err != nil || r.key == nil {
		return r.Request, err
	}
	k, err := db.keyring.Key(ctx, *r.key)
	if errors.Is(err, seal.ErrDestroyed) {
		return r.Request, nil
	}
	if err != nil {
		return r.Request, err
	}
	err = db.write(ctx, func(t *tx) error {
		if _, err := t.stands(actor, erasure.Admin, erasure.Staff); err != nil {
			return err
		}
		t.logAbout(erasure.Entry{Kind: erasure.ProfileViewed, Actor: actor, Request: &r.ID}, subjectOf(r), k)
		return nil
	})
	if err != nil {
		return r.Request, fmt.Errorf("logging the look: %w", err)
	}
	return r.Request, r.open(k)
}

// subjectOf is what an entry about a request says whom it was about by.
func subjectOf(r request) string {
	if r.EffaceID == nil {
		return ""
	}
	return r.EffaceID.String()
}

func (r *request) open(k seal.Key) error {
	if r.asked != nil {
		b, err := k.Open(r.asked, askedAD())
		if err != nil {
			return fmt.Errorf("opening the identifier asked for: %w", err)
		}
		r.Asked.Table = r.Table
		r.Asked.Key, r.Asked.Value = splitAsked(b)
	}
	if r.reason != nil {
		b, err := k.Open(r.reason, seal.AD{Table: "requests", Column: "reason"})
		if err != nil {
			return fmt.Errorf("opening the reason: %w", err)
		}
		r.Reason = string(b)
	}
	return nil
}

func (db *DB) openRequest(ctx context.Context, p profile) (*erasure.Request, error) {
	_, hb := db.now()
	r, err := db.scanRequest(db.reads.QueryRowContext(ctx, openRequestQuery, p.efface[:]).Scan, hb)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &r.Request, err
}

// openRequestQuery goes by User ID: a profile with an open request does not
// merge, so the request has its present one.
const openRequestQuery = `SELECT ` + requestColumns + requestTables + `
	WHERE r.efface_id = $1 AND ` + isOpen

const isOpen = `r.state IN ('pending', 'in_progress', 'failed') AND r.joined IS NULL`

func (t *tx) openRequest(p profile) (request, error) {
	return scanRequest(t.row(openRequestQuery, p.efface[:]).Scan, t.hb)
}

func (t *tx) request(id erasure.RequestID) (request, error) {
	r, err := scanRequest(t.row(`SELECT `+requestColumns+requestTables+` WHERE r.id = $1`, id[:]).Scan, t.hb)
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNoRequest
	}
	return r, err
}

// RequestByProfile returns the newest request that was made for this User ID,
// whatever became of it.
func (db *DB) RequestByProfile(ctx context.Context, id uuid.UUID) (erasure.Request, error) {
	_, hb := db.now()
	r, err := db.scanRequest(db.reads.QueryRowContext(ctx, `SELECT `+requestColumns+requestTables+`
		WHERE r.efface_id = $1 ORDER BY r.id DESC LIMIT 1`, id[:]).Scan, hb)
	if errors.Is(err, sql.ErrNoRows) {
		return r.Request, ErrNoRequest
	}
	return r.Request, err
}

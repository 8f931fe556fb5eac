package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
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
	identifiers, records, attempts, last_error, key_row, key_id, asked, reason`

const requestTables = ` FROM requests r`

// request is a request's row.
type request struct {
	erasure.Request
	profile       sql.NullInt64
	due           int64
	key           *seal.Ref // nil once destroyed
	asked, reason []byte
	waiting       []byte // of a new request: the fingerprint of an identifier that nothing is known of
}

func scanRequest(scan func(...any) error, hb erasure.Heartbeat) (r request, err error) {
	var table, state, origin, actor string
	var keyRow sql.NullInt64
	var keyID *[16]byte
	err = scan(scan16(&r.ID), scanNull16(&r.Batch), &table, &r.profile, scanNull16(&r.EffaceID), scanNull16(&r.Joined),
		&state, &origin, &actor, scan16(&r.Actor.ID), &r.RequestedBy, &r.Reference, &r.Suppress,
		scanTime(&r.RequestedAt), scanTime(&r.CancelBefore), &r.due, scanTime(&r.StartedAt), scanTime(&r.KeysDestroyedAt),
		scanTime(&r.FinishedAt), &r.Identifiers, &r.Records, &r.Attempts, &r.LastError, &keyRow, scanNull16(&keyID), &r.asked, &r.reason)
	r.Table, r.State, r.Origin = erasure.Table(table), erasure.State(state), erasure.Origin(origin)
	r.Request.Actor.Kind = erasure.ActorKind(actor)
	if keyRow.Valid && keyID != nil {
		r.key = &seal.Ref{Row: keyRow.Int64, ID: *keyID}
	}
	r.reckon(hb)
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
	r, err := scanRequest(db.reads.QueryRowContext(ctx, `SELECT `+requestColumns+requestTables+` WHERE r.id = $1`, id[:]).Scan, hb)
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
	r, err := scanRequest(db.reads.QueryRowContext(ctx, openRequestQuery, p.efface[:]).Scan, hb)
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

// RequestErasure asks for one profile's erasure. A second request for a
// profile returns the first, and created is false. Its errors are
// [erasure.CodeNotFound] and [erasure.CodeShared] for an identifier that
// leads to no profile or to several, [erasure.CodeConflict] for a User ID
// that a merge has made a former one, and [erasure.CodeInvalid].
func (db *DB) RequestErasure(ctx context.Context, n erasure.NewRequest) (r erasure.Request, created bool, err error) {
	return db.RequestErasureOnce(ctx, n, Once{})
}

// checkNew refuses a request that cannot be one, and prepares the identifier
// asked for.
func (db *DB) checkNew(ctx context.Context, n erasure.NewRequest) (asked identifier, err error) {
	if err := checkWords(n.Reason, n.Reference); err != nil {
		return asked, err
	}
	if n.EffaceID != nil {
		return asked, nil
	}
	return db.normalised(ctx, n.Asked)
}

func (t *tx) requestErasure(n erasure.NewRequest, asked identifier) (request, bool, error) {
	by, err := t.stands(n.Actor, erasure.Admin, erasure.Staff)
	if err != nil {
		return request{}, false, err
	}
	return t.requestOne(n, asked, by)
}

// requestOne asks for the one profile that a request is for. The actor's right
// was checked before.
func (t *tx) requestOne(n erasure.NewRequest, asked identifier, by string) (request, bool, error) {
	asked, err := t.numbered(asked)
	if err != nil {
		return request{}, false, err
	}
	p, err := t.target(n, asked)
	if erasure.CodeOf(err) == erasure.CodeNotFound && n.EffaceID == nil {
		return t.requestUnknown(n, asked, by, err)
	}
	if err != nil {
		return request{}, false, err
	}
	if n.EffaceID != nil {
		asked = identifier{key: effaceIDKey, value: p.efface.String()}
	}
	return t.requestTarget(n, asked, p, by)
}

// requestTarget returns the open request of a profile, or makes one.
func (t *tx) requestTarget(n erasure.NewRequest, asked identifier, p target, by string) (request, bool, error) {
	if p.open != nil {
		r, err := t.request(*p.open)
		if err == nil {
			r, err = t.askedAgain(r, n)
		}
		return r, false, err
	}
	if n.Seen != nil {
		if err := t.seenAll(p.profile, *n.Seen); err != nil {
			return request{}, false, err
		}
	}
	r, err := t.newRequest(n, asked, p, by)
	return r, err == nil, err
}

// requestUnknown takes a request for an identifier that no live profile has:
// it is that of the profile being erased, or waits for one to appear.
func (t *tx) requestUnknown(n erasure.NewRequest, asked identifier, by string, notFound error) (request, bool, error) {
	if r, err := t.erasing(asked); !errors.Is(err, sql.ErrNoRows) {
		return r, false, err
	}
	if !n.Unknown {
		return request{}, false, notFound
	}
	if r, err := t.waitingRequest(asked); err == nil {
		r, err = t.askedAgain(r, n)
		return r, false, err
	} else if !errors.Is(err, sql.ErrNoRows) {
		return r, false, err
	}
	r, err := t.newRequest(n, asked, target{profile: profile{table: asked.table}}, by)
	return r, err == nil, err
}

// askedAgain lets an open request suppress what it erases where that is asked
// for by now, until its claim, which does it. Who asked without suppression
// takes nothing away.
func (t *tx) askedAgain(r request, n erasure.NewRequest) (request, error) {
	if !n.Suppress || r.Suppress || r.State != erasure.Pending {
		return r, nil
	}
	k, err := t.key(*r.key)
	if err != nil {
		return r, err
	}
	if _, err := t.exec(`UPDATE requests SET suppress = $1 WHERE id = $2`, true, r.ID[:]); err != nil {
		return r, err
	}
	t.logAbout(erasure.Entry{Kind: erasure.SuppressionAdded, Request: &r.ID, Batch: r.Batch, Origin: n.Origin, Reference: r.Reference, Actor: n.Actor}, subjectOf(r), k)
	r.Suppress = true
	return r, nil
}

// newRequest writes a pending request. p is the zero profile but for its table
// where nobody is known yet; by is who asks, for people.
func (t *tx) newRequest(n erasure.NewRequest, asked identifier, p target, by string) (r request, err error) {
	k, err := t.newKey()
	if err != nil {
		return r, err
	}
	r = t.pendingRequest(n, asked, p, k)
	r.RequestedBy = by
	return r, t.insertRequests([]request{r})
}

// errTaken says that requests were not written, for there is another open one
// of the same profile.
var errTaken = errors.New("another request of the profile is open")

// pendingRequest is a new request, and logs it. It is what a read of its row
// would give, put together here: RETURNING makes SQLite open a table in memory
// for each request.
func (t *tx) pendingRequest(n erasure.NewRequest, asked identifier, p target, k seal.Key) request {
	window := t.db.options.CancelWindow
	r := request{key: &k.Ref, due: t.hb.Store + window.Milliseconds(), Request: erasure.Request{
		ID: erasure.NewRequestID(t.now), Batch: n.Batch, Table: p.table, State: erasure.Pending, Origin: n.Origin, Actor: n.Actor,
		Reference: n.Reference, Suppress: n.Suppress, Identifiers: p.held.Identifiers, Records: p.held.Records,
		RequestedAt: millis(t.now.UnixMilli()), CancelBefore: millis(t.now.Add(window).UnixMilli()),
	}}
	r.reckon(t.hb)
	subject := string(joinAsked(asked))
	if p.id != 0 {
		r.profile, r.EffaceID, subject = sql.NullInt64{Int64: p.id, Valid: true}, &p.efface, p.efface.String()
	} else {
		mac := fingerprint(t.db.secrets.waiting, asked.table, asked.key, asked.value)
		r.waiting = mac[:]
	}
	r.asked = k.Seal(joinAsked(asked), askedAD())
	if n.Reason != "" {
		r.reason = k.Seal([]byte(n.Reason), seal.AD{Table: "requests", Column: "reason"})
	}
	t.logMoveAbout(move{table: r.Table, entry: erasure.Entry{Kind: erasure.RequestCreated, Request: &r.ID, Batch: n.Batch, To: erasure.Pending,
		Origin: n.Origin, Reference: n.Reference, Actor: n.Actor, Counts: &p.held}}, subject, k)
	return r
}

// requestsAtOnce is how many requests one statement inserts.
const requestsAtOnce = 32

func (t *tx) insertRequests(all []request) error {
	for rs := range slices.Chunk(all, requestsAtOnce) {
		values := make([]any, 0, 21*len(rs))
		for i := range rs {
			r := &rs[i]
			values = append(values, r.ID[:], null16(r.Batch), string(r.Table), r.profile, null16(r.EffaceID), r.waiting, string(r.State),
				string(r.Origin), string(r.Actor.Kind), r.Actor.ID[:], r.Reference, r.Suppress, r.RequestedAt.UnixMilli(),
				r.CancelBefore.UnixMilli(), r.due, r.Identifiers, r.Records, r.key.Row, r.key.ID[:], r.asked, r.reason)
		}
		query := insertRequest
		if len(rs) > 1 {
			query = insertRequestsQuery(len(rs))
		}
		if n, err := t.exec(query, values...); err != nil {
			return fmt.Errorf("writing %d requests: %w", len(rs), err)
		} else if n < int64(len(rs)) {
			return errTaken
		}
	}
	return nil
}

var insertRequest = insertRequestsQuery(1)

func insertRequestsQuery(n int) string {
	return `INSERT INTO requests (id, batch, table_, profile, efface_id, waiting, state, origin, actor_kind, actor_id,
		reference, suppress, requested_at, cancel_before, due, identifiers, records, key_row, key_id, asked, reason) VALUES ` + tuples(n, 21) + ` ON CONFLICT DO NOTHING`
}

// RequestByProfile returns the newest request that was made for this User ID,
// whatever became of it.
func (db *DB) RequestByProfile(ctx context.Context, id uuid.UUID) (erasure.Request, error) {
	_, hb := db.now()
	r, err := scanRequest(db.reads.QueryRowContext(ctx, `SELECT `+requestColumns+requestTables+`
		WHERE r.efface_id = $1 ORDER BY r.id DESC LIMIT 1`, id[:]).Scan, hb)
	if errors.Is(err, sql.ErrNoRows) {
		return r.Request, ErrNoRequest
	}
	return r.Request, err
}

package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/witness"
)

// CheckAtOnce is how many identifiers one check may name.
const CheckAtOnce = 1000

var errNotSuppressed = erasure.Errorf(erasure.CodeNotFound,
	"This identifier is not suppressed any more: its time has passed, or somebody has lifted it.")

var errSuppressedAgain = erasure.Errorf(erasure.CodeConflict,
	"Another deletion request suppresses this identifier since you looked: check what it says now, then confirm again.")

const suppressionColumns = `s.mac, s.request, s.table_, k.name, s.created_at, s.expires, s.shared_at FROM suppressions s
	JOIN identifier_keys k ON k.id = s.key`

const suppressionQuery = `SELECT ` + suppressionColumns + ` WHERE s.mac = $1 AND s.expires > $2`

// scanSuppression tells when a suppression ends by the wall clock of now: it
// ends by the store's time.
func scanSuppression(scan func(...any) error, now time.Time, hb erasure.Heartbeat) (s erasure.Suppression, err error) {
	var table string
	var expires int64
	err = scan(scan16(&s.Fingerprint), scan16(&s.Request), &table, &s.Key, scanTime(&s.Since), &expires, scanTime(&s.SharedAt))
	s.Table, s.Until = erasure.Table(table), wallAt(now, hb, expires)
	return s, err
}

func wallAt(now time.Time, hb erasure.Heartbeat, storeTime int64) time.Time {
	return now.Add(time.Duration(storeTime-hb.Store) * time.Millisecond).UTC()
}

// Suppression reads one that is in force.
func (db *DB) Suppression(ctx context.Context, f erasure.Fingerprint) (erasure.Suppression, error) {
	now, hb := db.now()
	s, err := scanSuppression(db.reads.QueryRowContext(ctx, suppressionQuery, f[:], hb.Store).Scan, now, hb)
	if errors.Is(err, sql.ErrNoRows) {
		return s, errNotSuppressed
	}
	return s, err
}

// CheckSuppressions says of identifiers, in their order, whether they are
// suppressed; nil is one that is not. Who asked of how many is logged first, and
// nothing of whom.
func (db *DB) CheckSuppressions(ctx context.Context, actor erasure.Actor, ids []erasure.Identifier) ([]*erasure.Suppression, error) {
	prints := make([]erasure.Fingerprint, len(ids))
	for i, id := range ids {
		n, err := db.normalised(ctx, id)
		if err != nil {
			return nil, err
		}
		prints[i] = fingerprint(db.secrets.suppression, n.table, n.key, n.value)
	}
	err := db.write(ctx, func(t *tx) error {
		if _, err := t.stands(actor, erasure.Admin, erasure.Staff); err != nil {
			return err
		}
		t.log(erasure.Entry{Kind: erasure.SuppressionsChecked, Actor: actor, Counts: &erasure.Counts{Identifiers: len(ids)}})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("logging a check: %w", err)
	}
	found := make([]*erasure.Suppression, len(ids))
	for i, f := range prints {
		switch s, err := db.Suppression(ctx, f); {
		case err == nil:
			found[i] = &s
		case !errors.Is(err, errNotSuppressed):
			return nil, fmt.Errorf("reading a suppression: %w", err)
		}
	}
	return found, nil
}

// Lift ends a suppression: from then on the identifier may be collected again.
func (db *DB) Lift(ctx context.Context, actor erasure.Actor, l erasure.Lift) (s erasure.Suppression, err error) {
	if err := checkLift(l); err != nil {
		return s, err
	}
	err = db.write(ctx, func(t *tx) error {
		if _, err := t.stands(actor, erasure.Admin, erasure.Staff); err != nil {
			return err
		}
		var err error
		s, err = scanSuppression(t.row(suppressionQuery, l.Fingerprint[:], t.hb.Store).Scan, t.now, t.hb)
		if errors.Is(err, sql.ErrNoRows) {
			return errNotSuppressed
		}
		if err != nil {
			return fmt.Errorf("reading a suppression: %w", err)
		}
		if s.Request != l.Request {
			return errSuppressedAgain
		}
		if _, err := t.exec(`DELETE FROM suppressions WHERE mac = $1`, l.Fingerprint[:]); err != nil {
			return fmt.Errorf("lifting a suppression: %w", err)
		}
		t.suppressions = append(t.suppressions, witness.Suppression{MAC: hex.EncodeToString(l.Fingerprint[:]), Lifted: true})
		t.log(erasure.Entry{Kind: erasure.SuppressionLifted, Request: &s.Request, Actor: actor, Reason: l.Reason, Reference: l.Reference})
		return nil
	})
	return s, err
}

func checkLift(l erasure.Lift) error {
	if !slices.Contains(erasure.LiftReasons, l.Reason) {
		return erasure.Errorf(erasure.CodeInvalid, "Choose why the suppression is lifted.").In("reason")
	}
	return erasure.CheckReference(l.Reference)
}

// SuppressedSince says what is suppressed since a request was carried out, and
// how often it tried to come back. Requests that are joined say the same. asked
// is false where none of them asks for suppression.
func (db *DB) SuppressedSince(ctx context.Context, r erasure.Request) (s erasure.Suppressed, asked bool, err error) {
	s.Request = r.ID
	root := r.ID
	if r.Joined != nil {
		root = *r.Joined
	}
	rows, err := db.reads.QueryContext(ctx, `SELECT id, suppress FROM requests WHERE id = $1 OR joined = $1 ORDER BY id`, root[:])
	if err != nil {
		return s, false, err
	}
	var together []erasure.RequestID
	err = eachRow(rows, func(scan func(...any) error) error {
		var one erasure.RequestID
		var suppress bool
		err := scan(scan16(&one), &suppress)
		asked = asked || suppress
		together = append(together, one)
		return err
	})
	for _, one := range together {
		if err == nil {
			err = db.addSuppressed(ctx, &s, one)
		}
	}
	return s, asked, err
}

const suppressedQuery = `SELECT s.table_, k.name, COUNT(*), MIN(s.created_at), MAX(s.expires) FROM suppressions s
	JOIN identifier_keys k ON k.id = s.key WHERE s.request = $1 AND s.expires > $2 GROUP BY s.table_, k.id, k.name ORDER BY k.id`

// sharedShown is how many identifiers of a request are offered to be lifted.
const sharedShown = 20

const sharedSinceQuery = `SELECT ` + suppressionColumns + ` WHERE s.request = $1 AND s.shared_at > 0 AND s.expires > $2
	ORDER BY s.shared_at DESC LIMIT $3`

func (db *DB) addSuppressed(ctx context.Context, s *erasure.Suppressed, id erasure.RequestID) error {
	now, hb := db.now()
	rows, err := db.reads.QueryContext(ctx, suppressedQuery, id[:], hb.Store)
	if err != nil {
		return err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var table string
		var k erasure.SuppressedKey
		var expires int64
		if err := scan(&table, &k.Key, &k.Count, scanTime(&s.Since), &expires); err != nil {
			return err
		}
		s.Table, s.Keys, s.Until = erasure.Table(table), append(s.Keys, k), wallAt(now, hb, expires)
		return nil
	})
	if err != nil {
		return fmt.Errorf("counting suppressions: %w", err)
	}
	rows, err = db.reads.QueryContext(ctx, sharedSinceQuery, id[:], hb.Store, sharedShown)
	if err != nil {
		return err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		one, err := scanSuppression(scan, now, hb)
		s.Shared = append(s.Shared, one)
		return err
	})
	if err != nil {
		return fmt.Errorf("reading shared suppressions: %w", err)
	}
	r, err := db.returns(ctx, id)
	if err != nil {
		return err
	}
	s.Returns.Dropped += r.Dropped
	s.Returns.Trimmed += r.Trimmed
	if r.LastAt.After(s.Returns.LastAt) {
		s.Returns.LastAt = r.LastAt
	}
	var lifted int
	var logged int64
	err = db.reads.QueryRowContext(ctx, liftedQuery, id[:], string(erasure.SuppressionLifted)).Scan(&lifted, &logged)
	if err != nil {
		return fmt.Errorf("counting what was lifted: %w", err)
	}
	if at := wallAt(now, hb, logged); lifted > 0 && at.After(s.LiftedAt) {
		s.LiftedAt = at
	}
	s.Lifted += lifted
	return nil
}

const liftedQuery = `SELECT COUNT(*), COALESCE(MAX(logged), 0) FROM log_entries WHERE request = $1 AND kind = $2`

// Suppressions lists what is suppressed by the erasure it belongs to, that of
// the newest request first, a page at a time. next is the cursor of the page
// after, or "" at the end.
func (db *DB) Suppressions(ctx context.Context, cursor string, limit int) (page []erasure.Suppressed, next string, err error) {
	before := [16]byte{0xff}
	if cursor != "" {
		id, ok := erasure.ParseRequestID(cursor)
		if !ok {
			return nil, "", erasure.Errorf(erasure.CodeInvalid, "Use the cursor as the page before gave it.").In("cursor")
		}
		before = id
	}
	rows, err := db.reads.QueryContext(ctx, suppressingQuery, before[:], limit+1)
	if err != nil {
		return nil, "", err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var s erasure.Suppressed
		err := scan(scan16(&s.Request))
		page = append(page, s)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("listing suppressions: %w", err)
	}
	if len(page) > limit {
		page = page[:limit]
		next = page[limit-1].Request.String()
	}
	for i := range page {
		if err := db.addSuppressed(ctx, &page[i], page[i].Request); err != nil {
			return nil, "", err
		}
	}
	page = slices.DeleteFunc(page, func(s erasure.Suppressed) bool { return len(s.Keys) == 0 }) // over, and not swept yet
	return page, next, nil
}

// suppressingQuery lists the requests that suppress something.
const suppressingQuery = `SELECT DISTINCT request FROM suppressions WHERE request < $1 ORDER BY request DESC LIMIT $2`

// countedSuppressions is how many are counted, for whoever opens the page waits.
const countedSuppressions = 100_000

const suppressionsQuery = `SELECT COUNT(*) FROM (SELECT 1 FROM suppressions WHERE expires > $1 LIMIT $2) s`

// SuppressionTotals counts what is suppressed, up to a hundred thousand, and
// tells how many calls came back.
func (db *DB) SuppressionTotals(ctx context.Context) (s erasure.SuppressionTotals, err error) {
	_, hb := db.now()
	err = db.reads.QueryRowContext(ctx, suppressionsQuery, hb.Store, countedSuppressions+1).Scan(&s.Identifiers)
	if err != nil {
		return s, fmt.Errorf("counting suppressions: %w", err)
	}
	if s.More = s.Identifiers > countedSuppressions; s.More {
		s.Identifiers = countedSuppressions
	}
	s.Returns, err = db.returns(ctx, everyRequest)
	return s, err
}

// returns tells how often what a request suppressed came back.
func (db *DB) returns(ctx context.Context, id erasure.RequestID) (r erasure.Returns, err error) {
	err = db.reads.QueryRowContext(ctx, `SELECT dropped, trimmed, last_at FROM returns WHERE request = $1`, id[:]).
		Scan(&r.Dropped, &r.Trimmed, scanTime(&r.LastAt))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("reading what came back: %w", err)
	}
	return r, nil
}

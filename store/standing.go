package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/efface/efface/store/erasure"
)

// stands refuses an actor who may no longer do what they ask for: an operator
// who was disabled or lost the role, a key that was revoked or has expired.
// Both were checked when the request came in, but its body may take a minute
// to arrive, so each change and each look checks them again in its own commit. The terminal
// and Efface itself have no right that could end. who is the actor for people,
// as [requestColumns] reads it.
func (t *tx) stands(actor erasure.Actor, roles ...erasure.Role) (who string, err error) {
	switch actor.Kind {
	case erasure.ByOperator:
		return operatorStands(func(query string, args ...any) scanner { return t.row(query, args...) }, actor, roles)
	case erasure.ByKey:
		return t.keyStands(actor)
	}
	return string(actor.Kind), nil
}

// stands is [tx.stands] for a look that is in the log already.
func (db *DB) stands(ctx context.Context, actor erasure.Actor, roles ...erasure.Role) (err error) {
	read := func(query string, args ...any) scanner { return db.reads.QueryRowContext(ctx, query, args...) }
	switch actor.Kind {
	case erasure.ByOperator:
		_, err = operatorStands(read, actor, roles)
	case erasure.ByKey:
		now, _ := db.now()
		_, err = keyStands(read, actor, now)
	}
	return err
}

// scanner is one row that was read, in a write or beside it.
type scanner interface{ Scan(dest ...any) error }

func operatorStands(read func(string, ...any) scanner, actor erasure.Actor, roles []erasure.Role) (email string, err error) {
	var role string
	err = read(`SELECT email, role FROM operators WHERE id = $1 AND disabled = 0`, actor.ID[:]).Scan(&email, &role)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !slices.Contains(roles, erasure.Role(role)) {
		return "", erasure.Errorf(erasure.CodeForbidden, "Your account may no longer do this; sign in again.")
	}
	return email, err
}

// keyStands reads a key once a transaction: many calls of one script share a
// commit, and only [DB.RevokeKey] ends a key in the midst of one.
func (t *tx) keyStands(actor erasure.Actor) (name string, err error) {
	if name, ok := t.callers[actor.ID]; ok {
		return name, nil
	}
	name, err = keyStands(func(query string, args ...any) scanner { return t.row(query, args...) }, actor, t.now)
	if err == nil {
		t.callers[actor.ID] = name
	}
	return name, err
}

func keyStands(read func(string, ...any) scanner, actor erasure.Actor, now time.Time) (name string, err error) {
	err = read(`SELECT 'key:' || name FROM api_keys WHERE id = $1 AND revoked_at = 0 AND (expires_at = 0 OR expires_at > $2)`,
		actor.ID[:], now.UnixMilli()).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", erasure.Errorf(erasure.CodeUnauthorized, "This key is no longer valid.")
	}
	return name, err
}

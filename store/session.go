package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// How long a session lasts, by the store's time: without use, and at most.
const (
	SessionIdle = 30 * time.Minute
	SessionLife = 12 * time.Hour
	// A session in use is written at most this often.
	sessionTouch = time.Minute
)

var errNoSession = erasure.Errorf(erasure.CodeUnauthorized, "Sign in to go on.")

// newToken makes a secret of 256 bits, as text for a cookie, a link or a key.
func newToken() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// tokenHash is what the store keeps of a token. A fast hash will do: nobody
// can try 256 random bits.
func tokenHash(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// startSession begins a session and returns what its cookie holds.
func (t *tx) startSession(operator uuid.UUID) (token string, err error) {
	token, id := newToken(), uuid.New()
	_, err = t.exec(`INSERT INTO sessions (hash, id, operator, created_at, seen_at, created, seen)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		tokenHash(token), id[:], operator[:], t.now.UnixMilli(), t.now.UnixMilli(), t.hb.Store, t.hb.Store)
	if err != nil {
		return "", fmt.Errorf("starting a session: %w", err)
	}
	return token, nil
}

func (t *tx) endSessions(operator uuid.UUID) error {
	if _, err := t.exec(`DELETE FROM sessions WHERE operator = $1`, operator[:]); err != nil {
		return fmt.Errorf("ending sessions: %w", err)
	}
	return nil
}

const sessionQuery = `SELECT ` + operatorColumns + `, s.id, s.created_at, s.seen_at, s.created, s.seen
	FROM sessions s JOIN operators o ON o.id = s.operator WHERE `

// scanSession also reports for how long the session was not used, and whether
// it is over.
func scanSession(scan func(...any) error, now int64) (s erasure.Session, idle time.Duration, over bool, err error) {
	var created, seen int64
	s.Operator, err = scanOperator(scan, scan16(&s.ID), scanTime(&s.CreatedAt), scanTime(&s.LastSeen), &created, &seen)
	idle = time.Duration(now-seen) * time.Millisecond
	over = idle >= SessionIdle || time.Duration(now-created)*time.Millisecond >= SessionLife || s.Operator.Disabled
	return s, idle, over, err
}

// SessionByToken reads the session that a cookie holds the token of. With
// renew it counts as used now, where that can be written; a poll does not renew it.
func (db *DB) SessionByToken(ctx context.Context, token string, renew bool) (erasure.Session, error) {
	_, hb := db.now()
	hash := tokenHash(token)
	s, idle, over, err := scanSession(db.reads.QueryRowContext(ctx, sessionQuery+`s.hash = $1`, hash).Scan, hb.Store)
	if errors.Is(err, sql.ErrNoRows) || err == nil && over {
		return erasure.Session{}, errNoSession
	}
	if err != nil {
		return erasure.Session{}, fmt.Errorf("reading a session: %w", err)
	}
	s.Current = true
	if !renew || idle < sessionTouch {
		return s, nil
	}
	err = db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE sessions SET seen_at = $1, seen = $2 WHERE hash = $3`, t.now.UnixMilli(), t.hb.Store, hash)
		return err
	})
	if err != nil && ctx.Err() == nil {
		db.log.Error("the use of a session was not noted", "error", err) // pages that say why are still shown
	}
	return s, nil
}

// Sessions lists an operator's sessions that are not over, newest first. The
// one with the id current is marked.
func (db *DB) Sessions(ctx context.Context, operator, current uuid.UUID) (all []erasure.Session, err error) {
	_, hb := db.now()
	rows, err := db.reads.QueryContext(ctx, sessionQuery+`s.operator = $1 ORDER BY s.created DESC`, operator[:])
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		s, _, over, err := scanSession(scan, hb.Store)
		s.Current = s.ID == current
		if err == nil && !over {
			all = append(all, s)
		}
		return err
	})
	return all, err
}

// EndSession ends one session of an operator. One that is over already is no
// error.
func (db *DB) EndSession(ctx context.Context, operator, id uuid.UUID) error {
	return db.write(ctx, func(t *tx) error {
		ended, err := t.exec(`DELETE FROM sessions WHERE id = $1 AND operator = $2`, id[:], operator[:])
		if err != nil {
			return fmt.Errorf("ending a session: %w", err)
		}
		if ended > 0 {
			t.logOwn(erasure.SessionEnded, operator)
		}
		return nil
	})
}

// SignOut ends all of an operator's sessions.
func (db *DB) SignOut(ctx context.Context, operator uuid.UUID) error {
	return db.write(ctx, func(t *tx) error {
		t.logOwn(erasure.SignedOut, operator)
		return t.endSessions(operator)
	})
}

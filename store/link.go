package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// LinkLife is how long a one-time link is valid, by the store's time.
const LinkLife = 24 * time.Hour

// LinkPurpose is what a one-time link does when it is used.
type LinkPurpose string

// The purposes.
const (
	SetupLink    LinkPurpose = "setup"    // creates the first admin of an empty store
	PasswordLink LinkPurpose = "password" // sets an operator's password and signs in
	SignInLink   LinkPurpose = "sign-in"  // signs in to a demo
)

// Link is a one-time link that is still valid.
type Link struct {
	Purpose  LinkPurpose
	Operator erasure.Operator // zero for a set-up link
}

var (
	errNoLink = erasure.Errorf(erasure.CodeNotFound, "Ask for a new link: this one was used or is no longer valid.")
	errSetUp  = erasure.Errorf(erasure.CodeConflict, "Ask an admin for an account: this store is set up already.")
)

// NewLink makes a one-time link for an operator and returns its token and the
// time shown for its end; for a set-up link operator is the zero UUID. Only the
// newest of a purpose is valid.
func (db *DB) NewLink(ctx context.Context, actor erasure.Actor, purpose LinkPurpose, operator uuid.UUID) (token string, until time.Time, err error) {
	err = db.write(ctx, func(t *tx) error {
		if _, err := t.stands(actor, erasure.Admin); err != nil {
			return err
		}
		if err := t.mayLink(purpose, operator); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM links WHERE purpose = $1 AND (operator = $2 OR operator IS NULL)`, string(purpose), linked(purpose, operator)); err != nil {
			return err
		}
		token, until = newToken(), t.now.Add(LinkLife)
		_, err := t.exec(`INSERT INTO links (hash, purpose, operator, expires) VALUES ($1, $2, $3, $4)`,
			tokenHash(token), string(purpose), linked(purpose, operator), t.hb.Store+LinkLife.Milliseconds())
		if err == nil && purpose == PasswordLink {
			t.logOperator(erasure.Entry{Kind: erasure.LinkMade}, actor, operator)
		}
		return err
	})
	return token, until, err
}

// linked gives NULL for the operator whom a set-up link is yet to make.
func linked(purpose LinkPurpose, operator uuid.UUID) any {
	if purpose == SetupLink {
		return nil
	}
	return operator[:]
}

func (t *tx) mayLink(purpose LinkPurpose, operator uuid.UUID) error {
	if purpose == SetupLink {
		return t.mustBeEmpty()
	}
	o, err := t.operator(operator)
	if err == nil && o.Disabled {
		return erasure.Errorf(erasure.CodeConflict, "Enable the account first: a link is of no use to a disabled one.")
	}
	return err
}

func (t *tx) mustBeEmpty() error {
	var one int
	err := t.row(`SELECT 1 FROM operators LIMIT 1`).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for operators: %w", err)
	}
	return errSetUp
}

// Empty reports whether the store has no operator yet, so that a set-up link
// is due.
func (db *DB) Empty(ctx context.Context) (empty bool, err error) {
	err = db.reads.QueryRowContext(ctx, `SELECT NOT EXISTS (SELECT 1 FROM operators)`).Scan(&empty)
	return empty, err
}

// LinkByToken reads a link without using it up.
func (db *DB) LinkByToken(ctx context.Context, token string) (l Link, err error) {
	_, hb := db.now()
	var operator *uuid.UUID
	err = db.reads.QueryRowContext(ctx, `SELECT purpose, operator FROM links WHERE hash = $1 AND expires > $2`,
		tokenHash(token), hb.Store).Scan(&l.Purpose, scanNull16(&operator))
	if errors.Is(err, sql.ErrNoRows) {
		return l, errNoLink
	}
	if err != nil {
		return l, fmt.Errorf("reading a link: %w", err)
	}
	if operator != nil {
		l.Operator, err = db.Operator(ctx, *operator)
	}
	return l, err
}

// UseLink uses a link up and signs in. A set-up link takes an e-mail address
// and a password, a password link a password. Input that is refused leaves the
// link as it was.
func (db *DB) UseLink(ctx context.Context, token, email, password string) (session string, o erasure.Operator, err error) {
	l, err := db.LinkByToken(ctx, token)
	if err != nil {
		return "", o, err
	}
	hash, admin, err := l.check(ctx, email, password)
	if err != nil {
		return "", o, err
	}
	err = db.write(ctx, func(t *tx) error {
		account, err := t.takeLink(token, l)
		if err != nil {
			return err
		}
		switch l.Purpose {
		case SetupLink:
			account, err = t.setUp(admin, hash)
		case PasswordLink:
			err = t.newPassword(account, hash, erasure.LinkUsed)
		}
		if err != nil {
			return err
		}
		session, o, err = t.signIn(account)
		return err
	})
	return session, o, err
}

// check hashes what the link's form gave, if it asks for a password.
func (l Link) check(ctx context.Context, email, password string) (hash string, admin NewOperator, err error) {
	switch l.Purpose {
	case SignInLink:
		return "", admin, nil
	case SetupLink:
		if email, err = accountEmail(email); err != nil {
			return "", admin, err
		}
	default:
		email = l.Operator.Email
	}
	if err := erasure.CheckPassword(email, password); err != nil {
		return "", admin, err
	}
	hash, err = hashPassword(ctx, password)
	return hash, NewOperator{Email: email, Role: erasure.Admin}, err
}

// takeLink deletes the link in one statement: of two that use it at once, one
// finds nothing.
func (t *tx) takeLink(token string, l Link) (uuid.UUID, error) {
	var operator *uuid.UUID
	err := t.row(`DELETE FROM links WHERE hash = $1 AND purpose = $2 AND expires > $3 RETURNING operator`,
		tokenHash(token), string(l.Purpose), t.hb.Store).Scan(scanNull16(&operator))
	if errors.Is(err, sql.ErrNoRows) {
		return uuid.Nil, errNoLink
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("using a link up: %w", err)
	}
	if operator == nil {
		return uuid.Nil, nil
	}
	o, err := t.operator(*operator)
	if err == nil && o.Disabled {
		return uuid.Nil, errNoLink
	}
	return o.ID, err
}

// setUp is the terminal's doing: the link was printed there and nowhere else.
func (t *tx) setUp(admin NewOperator, hash string) (uuid.UUID, error) {
	if err := t.mustBeEmpty(); err != nil {
		return uuid.Nil, err
	}
	o, err := t.createOperator(erasure.Terminal, admin, hash)
	return o.ID, err
}

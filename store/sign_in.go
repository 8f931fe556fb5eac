package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

var errWrongPassword = erasure.Errorf(erasure.CodeUnauthorized, "Check the e-mail address and the password: they do not fit together.")

// SignIn checks a password and starts a session. An unknown account, a
// disabled one and a wrong password can't be told apart, neither by the answer
// nor by the work that is done. Too many failed tries give an
// [erasure.Limited].
func (db *DB) SignIn(ctx context.Context, email, password string, from netip.Addr) (token string, o erasure.Operator, err error) {
	return db.signIn(ctx, email, password, from, verifyPassword)
}

func (db *DB) signIn(ctx context.Context, email, password string, from netip.Addr, verify verifier) (token string, o erasure.Operator, err error) {
	if kept, err := accountEmail(email); err == nil {
		email = kept
	}
	account, hash, err := db.beginTry(ctx, email, from)
	if err != nil {
		return "", o, err
	}
	fits, err := verify(ctx, password, hash)
	if err != nil {
		return "", o, err
	}
	if !fits || account == uuid.Nil {
		return "", o, errWrongPassword
	}
	err = db.write(ctx, func(t *tx) error {
		if err := t.unchanged(account, hash); err != nil {
			return err
		}
		if err := t.forgive(db.accountTries(email)); err != nil {
			return err
		}
		if err := t.takeBack(db.addressTries(from)); err != nil {
			return err
		}
		token, o, err = t.signIn(account)
		return err
	})
	return token, o, err
}

// beginTry counts a try as failed before its password is compared, so that
// tries at the same time count too. For an account that can't sign in with a
// password it gives the zero id and a hash that none fits.
func (db *DB) beginTry(ctx context.Context, email string, from netip.Addr) (account uuid.UUID, hash string, err error) {
	err = db.write(ctx, func(t *tx) error {
		account, hash = uuid.Nil, nobodysHash
		if err := t.countTry(db.accountTries(email), db.addressTries(from)); err != nil {
			return err
		}
		var id uuid.UUID
		var password string
		err := t.row(`SELECT id, password FROM operators WHERE email = $1 AND disabled = 0`, email).Scan(scan16(&id), &password)
		if err == nil && password != "" {
			account, hash = id, password
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("reading an account: %w", err)
		}
		return nil
	})
	return account, hash, err
}

// unchanged refuses an account that was disabled or got another password
// while the one given was being compared.
func (t *tx) unchanged(account uuid.UUID, hash string) error {
	var one int
	err := t.row(`SELECT 1 FROM operators WHERE id = $1 AND password = $2 AND disabled = 0`, account[:], hash).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return errWrongPassword
	}
	return err
}

// signIn starts a session for an account that has shown it may.
func (t *tx) signIn(account uuid.UUID) (token string, o erasure.Operator, err error) {
	if _, err := t.exec(`UPDATE operators SET last_sign_in = $1 WHERE id = $2`, t.now.UnixMilli(), account[:]); err != nil {
		return "", o, fmt.Errorf("noting a sign-in: %w", err)
	}
	if o, err = t.operator(account); err != nil {
		return "", o, err
	}
	t.logOwn(erasure.SignedIn, account)
	token, err = t.startSession(account)
	return token, o, err
}

// ChangePassword sets an operator's own password after checking the present
// one. All their sessions end; token begins a new one.
func (db *DB) ChangePassword(ctx context.Context, id uuid.UUID, present, password string, from netip.Addr) (token string, err error) {
	o, err := db.Operator(ctx, id)
	if err != nil {
		return "", err
	}
	if err := erasure.CheckPassword(o.Email, password); err != nil {
		return "", err
	}
	account, hash, err := db.beginTry(ctx, o.Email, from)
	if err != nil {
		return "", err
	}
	if fits, err := verifyPassword(ctx, present, hash); err != nil {
		return "", err
	} else if !fits || account != id {
		return "", erasure.Errorf(erasure.CodeInvalid, "Check the current password: it is not the right one.").In("current")
	}
	next, err := hashPassword(ctx, password)
	if err != nil {
		return "", err
	}
	err = db.write(ctx, func(t *tx) error {
		if err := t.unchanged(id, hash); err != nil {
			return err
		}
		if err := t.takeBack(db.addressTries(from)); err != nil {
			return err
		}
		if err := t.newPassword(id, next, erasure.PasswordChanged); err != nil {
			return err
		}
		token, err = t.startSession(id)
		return err
	})
	return token, err
}

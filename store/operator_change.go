package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// SetRole gives an operator another role and ends their sessions.
func (db *DB) SetRole(ctx context.Context, actor erasure.Actor, id uuid.UUID, role erasure.Role) error {
	role, err := parseRole(role)
	if err != nil {
		return err
	}
	return db.changeOperator(ctx, actor, id, func(t *tx, o erasure.Operator) (bool, error) {
		if o.Role == role {
			return false, nil
		}
		if err := t.keepAnAdmin(o); err != nil {
			return false, err
		}
		_, err := t.exec(`UPDATE operators SET role = $1 WHERE id = $2`, string(role), id[:])
		return true, err
	})
}

// SetDisabled closes an account, its sessions and its links, or opens the
// account again.
func (db *DB) SetDisabled(ctx context.Context, actor erasure.Actor, id uuid.UUID, disabled bool) error {
	return db.changeOperator(ctx, actor, id, func(t *tx, o erasure.Operator) (bool, error) {
		if o.Disabled == disabled {
			return false, nil
		}
		if disabled {
			if err := t.keepAnAdmin(o); err != nil {
				return false, err
			}
			if _, err := t.exec(`DELETE FROM links WHERE operator = $1`, id[:]); err != nil {
				return false, err
			}
		}
		_, err := t.exec(`UPDATE operators SET disabled = $1 WHERE id = $2`, disabled, id[:])
		return true, err
	})
}

// SetPassword gives an operator another password and ends their sessions.
func (db *DB) SetPassword(ctx context.Context, actor erasure.Actor, id uuid.UUID, password string) error {
	o, err := db.Operator(ctx, id)
	if err != nil {
		return err
	}
	if err := erasure.CheckPassword(o.Email, password); err != nil {
		return err
	}
	hash, err := hashPassword(ctx, password)
	if err != nil {
		return err
	}
	return db.changeOperator(ctx, actor, id, func(t *tx, o erasure.Operator) (bool, error) {
		return true, t.setPassword(o, hash)
	})
}

// newPassword is a change that an operator makes of their own.
func (t *tx) newPassword(id uuid.UUID, hash string) error {
	return t.changeOperator(erasure.Actor{Kind: erasure.ByOperator, ID: id}, id, func(t *tx, o erasure.Operator) (bool, error) {
		return true, t.setPassword(o, hash)
	})
}

// setPassword also forgets failed tries, and links that set another one.
func (t *tx) setPassword(o erasure.Operator, hash string) error {
	if _, err := t.exec(`UPDATE operators SET password = $1 WHERE id = $2`, hash, o.ID[:]); err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM links WHERE operator = $1`, o.ID[:]); err != nil {
		return err
	}
	return t.forgive(t.db.accountTries(o.Email))
}

// changeOperator logs a change and ends the operator's sessions in the commit
// that makes it. change reports whether there was anything to change.
func (db *DB) changeOperator(ctx context.Context, actor erasure.Actor, id uuid.UUID, change func(*tx, erasure.Operator) (bool, error)) error {
	return db.write(ctx, func(t *tx) error {
		if err := t.stands(actor, erasure.Admin); err != nil {
			return err
		}
		return t.changeOperator(actor, id, change)
	})
}

func (t *tx) changeOperator(actor erasure.Actor, id uuid.UUID, change func(*tx, erasure.Operator) (bool, error)) error {
	o, err := t.operator(id)
	if err != nil {
		return err
	}
	changed, err := change(t, o)
	if err != nil || !changed {
		return err
	}
	t.logOperator(erasure.OperatorChanged, actor, id)
	return t.endSessions(id)
}

// keepAnAdmin refuses to take the last admin away who can sign in: nobody
// could open Settings any more. An account that never signed in and has no
// password does not count beside another.
func (t *tx) keepAnAdmin(o erasure.Operator) error {
	if o.Role != erasure.Admin || o.Disabled {
		return nil
	}
	var one int
	err := t.row(`SELECT 1 FROM operators WHERE role = $1 AND disabled = 0 AND id <> $2
		AND (password <> '' OR last_sign_in > 0) LIMIT 1`, string(erasure.Admin), o.ID[:]).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return erasure.Errorf(erasure.CodeConflict, "Make another operator an admin first: this is the last active one.")
	}
	if err != nil {
		return fmt.Errorf("counting admins: %w", err)
	}
	return nil
}

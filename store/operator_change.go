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
	return db.changeOperator(ctx, actor, id, func(t *tx, o erasure.Operator) (e erasure.Entry, err error) {
		if o.Role == role {
			return e, nil
		}
		if err := t.keepAnAdmin(o); err != nil {
			return e, err
		}
		_, err = t.exec(`UPDATE operators SET role = $1 WHERE id = $2`, string(role), id[:])
		return erasure.Entry{Kind: erasure.RoleChanged, FromRole: o.Role, ToRole: role}, err
	})
}

// SetDisabled closes an account, its sessions and its links, or opens the
// account again.
func (db *DB) SetDisabled(ctx context.Context, actor erasure.Actor, id uuid.UUID, disabled bool) error {
	return db.changeOperator(ctx, actor, id, func(t *tx, o erasure.Operator) (e erasure.Entry, err error) {
		if o.Disabled == disabled {
			return e, nil
		}
		e.Kind = erasure.OperatorEnabled
		if disabled {
			e.Kind = erasure.OperatorDisabled
			if err := t.keepAnAdmin(o); err != nil {
				return e, err
			}
			if _, err := t.exec(`DELETE FROM links WHERE operator = $1`, id[:]); err != nil {
				return e, err
			}
		}
		_, err = t.exec(`UPDATE operators SET disabled = $1 WHERE id = $2`, disabled, id[:])
		return e, err
	})
}

// newPassword sets the password that an operator has chosen, ends their
// sessions, and forgets failed tries and links that set another one. kind says
// how they were known.
func (t *tx) newPassword(id uuid.UUID, hash string, kind erasure.Kind) error {
	o, err := t.operator(id)
	if err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE operators SET password = $1 WHERE id = $2`, hash, id[:]); err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM links WHERE operator = $1`, id[:]); err != nil {
		return err
	}
	if err := t.forgive(t.db.accountTries(o.Email)); err != nil {
		return err
	}
	t.logOwn(kind, id)
	return t.endSessions(id)
}

// changeOperator logs a change and ends the operator's sessions in the commit
// that makes it. change returns what is to be logged, an entry of no kind where
// there was nothing to change.
func (db *DB) changeOperator(ctx context.Context, actor erasure.Actor, id uuid.UUID, change func(*tx, erasure.Operator) (erasure.Entry, error)) error {
	return db.write(ctx, func(t *tx) error {
		if _, err := t.stands(actor, erasure.Admin); err != nil {
			return err
		}
		o, err := t.operator(id)
		if err != nil {
			return err
		}
		e, err := change(t, o)
		if err != nil || e.Kind == "" {
			return err
		}
		t.logOperator(e, actor, id)
		return t.endSessions(id)
	})
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

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

const operatorColumns = `o.id, o.email, o.role, o.disabled, o.password <> '', o.created_at, o.last_sign_in`

func scanOperator(scan func(...any) error, more ...any) (o erasure.Operator, err error) {
	columns := []any{scan16(&o.ID), &o.Email, &o.Role, &o.Disabled, &o.HasPass, scanTime(&o.CreatedAt), scanTime(&o.LastSignIn)}
	err = scan(append(columns, more...)...)
	return o, err
}

var errNoOperator = erasure.Errorf(erasure.CodeNotFound, "There is no such operator: look at the list of operators.")

// NewOperator is an account to be made. Without a password it waits for a
// link of [PasswordLink].
type NewOperator struct {
	Email    string
	Role     erasure.Role
	Password string
}

// CreateOperator makes an account. An e-mail address can have one only.
func (db *DB) CreateOperator(ctx context.Context, actor erasure.Actor, n NewOperator) (o erasure.Operator, err error) {
	n, err = n.cleaned()
	if err != nil {
		return o, err
	}
	hash := ""
	if n.Password != "" {
		if hash, err = hashPassword(ctx, n.Password); err != nil {
			return o, err
		}
	}
	err = db.write(ctx, func(t *tx) error {
		if _, err := t.stands(actor, erasure.Admin); err != nil {
			return err
		}
		o, err = t.createOperator(actor, n, hash)
		return err
	})
	return o, err
}

// Check says what is wrong with an account before it is made.
func (n NewOperator) Check() error {
	_, err := n.cleaned()
	return err
}

func (n NewOperator) cleaned() (_ NewOperator, err error) {
	if n.Role, err = parseRole(n.Role); err != nil {
		return n, err
	}
	if n.Email, err = accountEmail(n.Email); err != nil || n.Password == "" {
		return n, err
	}
	return n, erasure.CheckPassword(n.Email, n.Password)
}

func (t *tx) createOperator(actor erasure.Actor, n NewOperator, hash string) (erasure.Operator, error) {
	o := erasure.Operator{ID: uuid.New(), Email: n.Email, Role: n.Role, HasPass: hash != "", CreatedAt: t.now.UTC()}
	rows, err := t.exec(`INSERT INTO operators (id, email, role, password, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`, o.ID[:], o.Email, string(o.Role), hash, t.now.UnixMilli())
	if err != nil {
		return o, fmt.Errorf("creating an operator: %w", err)
	}
	if rows == 0 {
		return o, erasure.Errorf(erasure.CodeConflict, "Choose another e-mail address: an operator has this one already.").In("email")
	}
	t.logOperator(erasure.Entry{Kind: erasure.OperatorCreated, ToRole: o.Role}, actor, o.ID)
	return o, nil
}

func (t *tx) logOperator(e erasure.Entry, actor erasure.Actor, id uuid.UUID) {
	e.Actor, e.Target = actor, &id
	t.log(e)
}

// logOwn logs what an operator did about their own account.
func (t *tx) logOwn(kind erasure.Kind, id uuid.UUID) {
	t.logOperator(erasure.Entry{Kind: kind}, erasure.Actor{Kind: erasure.ByOperator, ID: id}, id)
}

// accountEmail gives the form under which an account is kept and looked up.
func accountEmail(email string) (string, error) {
	value, parsed, err := erasure.Normalise(erasure.Identifier{Table: erasure.User, Key: "email", Value: email}, "")
	if err != nil || !parsed {
		return "", erasure.Errorf(erasure.CodeInvalid, "Give an e-mail address such as ann@example.com.").In("email")
	}
	return value, nil
}

func parseRole(r erasure.Role) (erasure.Role, error) {
	for _, known := range erasure.Roles {
		if r == known {
			return r, nil
		}
	}
	return "", erasure.Errorf(erasure.CodeInvalid, "Choose the role admin, operator or auditor.").In("role")
}

// Operators lists every account by e-mail address.
func (db *DB) Operators(ctx context.Context) (all []erasure.Operator, err error) {
	rows, err := db.reads.QueryContext(ctx, `SELECT `+operatorColumns+` FROM operators o ORDER BY o.email`)
	if err != nil {
		return nil, fmt.Errorf("listing operators: %w", err)
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		o, err := scanOperator(scan)
		all = append(all, o)
		return err
	})
	return all, err
}

// Operator reads one account.
func (db *DB) Operator(ctx context.Context, id uuid.UUID) (erasure.Operator, error) {
	return db.operatorWhere(ctx, `o.id = $1`, id[:])
}

// OperatorByEmail reads the account that an e-mail address belongs to.
func (db *DB) OperatorByEmail(ctx context.Context, email string) (erasure.Operator, error) {
	email, err := accountEmail(email)
	if err != nil {
		return erasure.Operator{}, err
	}
	return db.operatorWhere(ctx, `o.email = $1`, email)
}

func (db *DB) operatorWhere(ctx context.Context, where string, arg any) (erasure.Operator, error) {
	o, err := scanOperator(db.reads.QueryRowContext(ctx, `SELECT `+operatorColumns+` FROM operators o WHERE `+where, arg).Scan)
	return o, noOperator(err)
}

func (t *tx) operator(id uuid.UUID) (erasure.Operator, error) {
	o, err := scanOperator(t.row(`SELECT `+operatorColumns+` FROM operators o WHERE o.id = $1`, id[:]).Scan)
	return o, noOperator(err)
}

func noOperator(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return errNoOperator
	}
	if err != nil {
		return fmt.Errorf("reading an operator: %w", err)
	}
	return nil
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/witness"
)

// tx is one write inside a commit that others may share. It has one reading
// of the clock.
type tx struct {
	w   *writer
	db  *DB
	now time.Time         // the wall clock's
	hb  erasure.Heartbeat // hb.Store is the store's time

	entries      []pendingEntry
	heads        []checkpoint          // signed in this commit
	suppressions []witness.Suppression // made or lifted in it
	opened       map[seal.Ref]seal.Key // keys read in this transaction
	callers      map[uuid.UUID]string  // names of API keys that stand in this transaction
	spare        []seal.Key            // made for the job under way
	back         returns               // of the job under way
	wrote        bool                  // whether the job under way may have changed rows
	steered      bool                  // whether it may have changed what a look-up gives
	changed      bool                  // whether an earlier job of this commit did
	suppresses   *bool                 // whether anything is suppressed; nil while that is not known
	refused      *bool                 // whether any merge is refused; nil while that is not known
	looked       bool                  // whether other programs' commits were looked for
	// err is the first error of a statement. Nothing runs after it, for
	// SQLite may have left the transaction, and what ran then would be
	// committed on its own.
	err error
}

func newTx(w *writer) *tx {
	now, hb := w.db.now()
	return &tx{w: w, db: w.db, now: now, hb: hb, opened: map[seal.Ref]seal.Key{}, callers: map[uuid.UUID]string{}}
}

// mark is where a transaction stood when a job began.
type mark struct{ entries, heads, suppressions int }

// mark is what [tx.reset] takes, when the next job begins.
func (t *tx) mark() mark {
	t.wrote, t.steered, t.spare, t.back = false, false, nil, returns{}
	return mark{len(t.entries), len(t.heads), len(t.suppressions)}
}

func (t *tx) reset(m mark) {
	t.entries, t.heads, t.suppressions = t.entries[:m.entries], t.heads[:m.heads], t.suppressions[:m.suppressions]
	t.err = nil
}

// finish numbers and writes the log entries, after the last job and
// before COMMIT, and notes the store's time with them. It returns what the
// witness is to be told of the commit.
func (t *tx) finish() (w testimony, err error) {
	first, rows, err := t.writeEntries()
	if err == nil {
		w, err = t.testimony(first, rows)
	}
	if err == nil {
		err = t.writeHeartbeat()
	}
	return w, err
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	r, err := t.change(query, args...)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return n, t.fail(err)
}

// insert runs an INSERT and returns the row's number.
func (t *tx) insert(query string, args ...any) (int64, error) {
	r, err := t.change(query, args...)
	if err != nil {
		return 0, err
	}
	id, err := r.LastInsertId()
	return id, t.fail(err)
}

func (t *tx) change(query string, args ...any) (sql.Result, error) {
	s, err := t.prepare(query)
	if err != nil {
		return nil, err
	}
	r, err := s.Exec(args...)
	return r, t.fail(err)
}

// row reads one row; its Scan gives sql.ErrNoRows where there is none.
func (t *tx) row(query string, args ...any) row {
	s, err := t.prepare(query)
	if err != nil {
		return row{t: t, err: err}
	}
	return row{t: t, row: s.QueryRow(args...)}
}

type row struct {
	t   *tx
	row *sql.Row
	err error
}

// Scan copies the row's columns.
func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	err := r.row.Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return r.t.fail(err)
}

// each calls fn for every row. fn must not run statements that change what
// is being read.
func (t *tx) each(fn func(scan func(...any) error) error, query string, args ...any) error {
	s, err := t.prepare(query)
	if err != nil {
		return err
	}
	rows, err := s.Query(args...)
	if err != nil {
		return t.fail(err)
	}
	return t.fail(eachRow(rows, fn))
}

func eachRow(rows *sql.Rows, fn func(scan func(...any) error) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

func (t *tx) prepare(query string) (statement, error) {
	if t.err != nil {
		return statement{}, t.err
	}
	s, err := t.w.prepare(query)
	t.wrote, t.steered = t.wrote || !s.reads, t.steered || s.steers
	return s, t.fail(err)
}

func (t *tx) fail(err error) error {
	if err != nil && t.err == nil {
		t.err = err
	}
	return err
}

// newKey takes a key that nobody else has or gets.
func (t *tx) newKey() (seal.Key, error) {
	if len(t.spare) > 0 {
		k := t.spare[0]
		t.spare = t.spare[1:]
		return k, nil
	}
	return t.db.keys.Take(context.Background())
}

// key opens a data key, once a transaction.
func (t *tx) key(ref seal.Ref) (seal.Key, error) {
	if k, ok := t.opened[ref]; ok {
		return k, nil
	}
	k, err := t.db.keyring.Key(context.Background(), ref)
	if err == nil {
		t.opened[ref] = k
	}
	return k, err
}

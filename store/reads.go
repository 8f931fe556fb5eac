package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/efface/efface/store/seal"
)

// reads is the pool of connections that read, with its statements prepared
// once. Each read is a single statement: no reader keeps a transaction open.
type reads struct {
	pool  *sql.DB
	stmts sync.Map // query to *sql.Stmt
}

// readers is how many connections read at once.
const readers = 8

func openReads(path string) (*reads, error) {
	pool, err := seal.OpenPool(path, seal.DSNOptions{QueryOnly: true, CacheKiB: 16 << 10}, readers)
	if err != nil {
		return nil, err
	}
	return &reads{pool: pool}, nil
}

func (r *reads) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := r.stmts.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := r.pool.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if earlier, loaded := r.stmts.LoadOrStore(query, s); loaded {
		return earlier.(*sql.Stmt), s.Close()
	}
	return s, nil
}

// QueryRowContext reads one row. The query is kept prepared, so its text must
// be one of a few. It is too short to be interrupted: a goroutine that waits
// for ctx would cost more than the read.
func (r *reads) QueryRowContext(ctx context.Context, query string, args ...any) readRow {
	ctx = context.WithoutCancel(ctx)
	s, err := r.prepare(ctx, query)
	if err != nil {
		return readRow{err: err}
	}
	return readRow{row: s.QueryRowContext(ctx, args...)}
}

type readRow struct {
	row *sql.Row
	err error
}

// Scan copies the row's columns; sql.ErrNoRows where there is none.
func (r readRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.row.Scan(dest...)
}

// QueryContext reads rows as [reads.QueryRowContext] reads one.
func (r *reads) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	ctx = context.WithoutCancel(ctx)
	s, err := r.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// Close closes the statements and the connections.
func (r *reads) Close() error {
	var errs []error
	r.stmts.Range(func(_, s any) bool {
		errs = append(errs, s.(*sql.Stmt).Close())
		return true
	})
	return errors.Join(append(errs, r.pool.Close())...)
}

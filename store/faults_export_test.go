package store

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/mattn/go-sqlite3"
)

// watched opens connections whose statements a test sees before they run.
type watched struct {
	inner  driver.Driver
	dsn    string
	before func(c driver.Conn, query string) error
}

func (w watched) Driver() driver.Driver { return w.inner }

func (w watched) Connect(context.Context) (driver.Conn, error) {
	c, err := w.inner.Open(w.dsn)
	if err != nil {
		return nil, err
	}
	lite, ok := c.(*sqlite3.SQLiteConn)
	if !ok {
		return nil, fmt.Errorf("a connection of SQLite was expected, not %T", c)
	}
	return &watchedConn{lite, w.before}, nil
}

type watchedConn struct {
	*sqlite3.SQLiteConn
	before func(c driver.Conn, query string) error
}

func (c *watchedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.SQLiteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &watchedStmt{s.(*sqlite3.SQLiteStmt), c, query}, nil
}

type watchedStmt struct {
	*sqlite3.SQLiteStmt
	conn  *watchedConn
	query string
}

func (s *watchedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.conn.before(s.conn.SQLiteConn, s.query); err != nil {
		return nil, err
	}
	return s.SQLiteStmt.ExecContext(ctx, args)
}

func (s *watchedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.conn.before(s.conn.SQLiteConn, s.query); err != nil {
		return nil, err
	}
	return s.SQLiteStmt.QueryContext(ctx, args)
}

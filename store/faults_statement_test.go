package store_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
)

// I5, and "Shared commits": SQLite's own failures at each statement of a
// shared commit. None is feigned: SQLite fails for the reason named, and what
// it does to the transaction is its own doing.
func TestAFailingStatementLosesNothingThatIsAcknowledged(t *testing.T) {
	for name, fail := range map[string]func(c *sqlite3.SQLiteConn, query string) error{
		"an interrupt":  interrupt,
		"a full disk":   fillUp,
		"a refused row": breakConstraint,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFaulty(t)
			f.failStatements(t, fail)
			f.strikeEach(t)
		})
	}
}

// failStatements lets the nth statement of the writer fail.
func (f *faulty) failStatements(t *testing.T, fail func(*sqlite3.SQLiteConn, string) error) {
	left, struck := 0, false
	first := false
	f.db.Statements(t, func(c driver.Conn, query string) error {
		if first { // the write that holds the commit back runs before
			first = query != "COMMIT"
			return nil
		}
		if left == 0 {
			return nil
		}
		if left--; left > 0 {
			return nil
		}
		struck = true
		return fail(c.(*sqlite3.SQLiteConn), query)
	})
	f.arm = func(n int) { left, struck, first = n, false, true }
	f.fired = func() bool { left = 0; return struck }
}

// interrupt breaks a statement off, as a context that ends does: a reading
// one where a reading one was to run.
func interrupt(c *sqlite3.SQLiteConn, query string) error {
	long := `INSERT INTO sign_in_failures (who, count, last)` + manyRows + `SELECT x, 1, 1 FROM c`
	if strings.HasPrefix(query, "SELECT") {
		long = manyRows + `SELECT COUNT(*) FROM c`
	}
	var err error
	for err == nil { // the driver may interrupt before SQLite has begun
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		_, err = c.ExecContext(ctx, long, nil)
		cancel()
	}
	return fmt.Errorf("interrupted: %w", err)
}

const manyRows = ` WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000) `

// fillUp lets the file grow no more, and then makes it grow.
func fillUp(c *sqlite3.SQLiteConn, _ string) error {
	if _, err := c.Exec(`PRAGMA max_page_count = 1`, nil); err != nil { // SQLite makes it the present size
		return err
	}
	_, full := c.Exec(`INSERT INTO sign_in_failures (who, count, last) VALUES (zeroblob(4000000), 1, 1)`, nil)
	if _, err := c.Exec(`PRAGMA max_page_count = 1073741823`, nil); err != nil {
		return err
	}
	var lite sqlite3.Error
	if !errors.As(full, &lite) || lite.Code != sqlite3.ErrFull {
		return fmt.Errorf("a full disk was expected: %w", full)
	}
	return full
}

// breakConstraint ends the statement, and leaves the transaction as it is.
func breakConstraint(c *sqlite3.SQLiteConn, _ string) error {
	_, err := c.Exec(`INSERT INTO store (id, store_id, normaliser) VALUES (2, x'00', 1)`, nil)
	if err == nil {
		return errors.New("a row was taken that a constraint forbids")
	}
	return err
}

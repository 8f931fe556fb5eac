package store

import (
	"context"
	"testing"

	"github.com/efface/efface/store/erasure"
)

// SignInWith is SignIn with a comparison that a test can watch.
var SignInWith = (*DB).signIn

// LogKinds returns what the log's entries tell, oldest first.
func (db *DB) LogKinds(t *testing.T) (kinds []erasure.Kind) {
	t.Helper()
	rows, err := db.reads.QueryContext(context.Background(), `SELECT kind FROM log_entries ORDER BY idx`)
	if err != nil {
		t.Fatal(err)
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var k erasure.Kind
		err := scan(&k)
		kinds = append(kinds, k)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

// AccessRows counts the rows of what sign-in leaves behind.
func (db *DB) AccessRows(t *testing.T) (n int) {
	t.Helper()
	err := db.reads.QueryRowContext(context.Background(), `SELECT (SELECT COUNT(*) FROM sessions) + (SELECT COUNT(*) FROM links) +
		(SELECT COUNT(*) FROM finds) + (SELECT COUNT(*) FROM sign_in_failures)`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the database to this program's version. Each migration is a
// commit of its own. Only the server changes an older store, for another
// program may be at work on it.
func (db *DB) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	version, err := db.version(ctx)
	if err != nil {
		return fmt.Errorf("reading the store's version: %w", err)
	}
	switch {
	case version > len(files):
		return erasure.Errorf(erasure.CodeConflict, "This store was written by a newer Efface; use that version or a later one.")
	case version > 0 && version < len(files) && !db.options.Serve:
		return erasure.Errorf(erasure.CodeConflict, "This store is of an older version; start efface serve once to bring it up to date.")
	}
	for n := version + 1; n <= len(files); n++ {
		script, err := migrations.ReadFile(files[n-1])
		if err != nil {
			return err
		}
		if err := db.migrateTo(ctx, n, string(script)); err != nil {
			return fmt.Errorf("migration %d: %w", n, err)
		}
	}
	return nil
}

func (db *DB) version(ctx context.Context) (n int, err error) {
	_, err = db.writes.conn.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_version (n INTEGER PRIMARY KEY)`)
	if err == nil {
		err = db.writes.conn.QueryRowContext(ctx, `SELECT COALESCE(MAX(n), 0) FROM schema_version`).Scan(&n)
	}
	return n, err
}

// migrateTo runs one migration, unless another program has done so meanwhile.
func (db *DB) migrateTo(ctx context.Context, n int, script string) (err error) {
	conn := db.writes.conn
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.writes.abandon())
		}
	}()
	version, err := db.version(ctx)
	if err != nil {
		return err
	}
	if version < n {
		if _, err := conn.ExecContext(ctx, script); err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, `INSERT INTO schema_version (n) VALUES ($1)`, n); err != nil {
			return err
		}
		if err := db.writeStoreRow(ctx, n); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

// writeStoreRow names a new store.
func (db *DB) writeStoreRow(ctx context.Context, migration int) error {
	if migration != 1 {
		return nil
	}
	id := uuid.New()
	_, err := db.writes.conn.ExecContext(ctx, `INSERT INTO store (id, store_id, normaliser) VALUES (1, $1, $2)`,
		id[:], erasure.NormaliserVersion)
	return err
}

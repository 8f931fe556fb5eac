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

// migrate brings the database to this program's version. Only the server changes an older store, for another
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
	if version == len(files) {
		return nil
	}
	return db.migrateFrom(ctx, files)
}

const createVersion = `CREATE TABLE IF NOT EXISTS schema_version (n INTEGER PRIMARY KEY)`

func (db *DB) version(ctx context.Context) (n int, err error) {
	_, err = db.writes.conn.ExecContext(ctx, createVersion)
	if err == nil {
		err = db.writes.conn.QueryRowContext(ctx, `SELECT COALESCE(MAX(n), 0) FROM schema_version`).Scan(&n)
	}
	return n, err
}

// migrateFrom runs the migrations that another program has not run meanwhile,
// in one commit, so that nobody meets a store half-way.
func (db *DB) migrateFrom(ctx context.Context, files []string) (err error) {
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
	for n := version + 1; n <= len(files); n++ {
		if err := db.migrateTo(ctx, n, files[n-1]); err != nil {
			return fmt.Errorf("migration %d: %w", n, err)
		}
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

func (db *DB) migrateTo(ctx context.Context, n int, file string) error {
	script, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	conn := db.writes.conn
	if _, err := conn.ExecContext(ctx, string(script)); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, `INSERT INTO schema_version (n) VALUES ($1)`, n); err != nil {
		return err
	}
	if n == treeMigration {
		return db.growOlderTree(ctx)
	}
	return db.writeStoreRow(ctx, n)
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

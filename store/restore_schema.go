package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/seal"
)

// checkFile refuses a database that is not the one its manifest tells of, or that
// has a table, index, view or trigger other than Efface makes, before any of it is
// used: a trigger would run in whatever the restore does.
func (db *DB) checkFile(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	version, err := db.version(ctx)
	if err != nil || version > len(files) { // which migrate refuses
		return err
	}
	r := db.restoring
	if r.From != "" {
		var entries int64
		if err := db.writes.conn.QueryRowContext(ctx, logSizeQuery).Scan(&entries); err != nil {
			return err
		}
		if version != r.manifest.Schema || entries != r.manifest.Entries {
			return r.cutShort()
		}
	}
	differs, err := db.schemaDiffers(ctx, files[:version])
	if err != nil || differs == "" {
		return err
	}
	if r.From != "" {
		return erasure.Errorf(erasure.CodeInvalid, "The efface.db of the backup in %s is not as Efface makes it: %s; use another backup.", r.From, differs)
	}
	return erasure.Errorf(erasure.CodeInvalid, "The efface.db that is there is not as Efface makes it: %s; move it aside and put a backup in place with --from.", differs)
}

// schemaDiffers says what is other in the database than the migrations make it; ""
// where nothing is.
func (db *DB) schemaDiffers(ctx context.Context, files []string) (string, error) {
	is, err := readSchema(ctx, db.writes.conn)
	if err != nil {
		return "", fmt.Errorf("reading the schema: %w", err)
	}
	made, err := migratedSchema(ctx, files)
	if err != nil {
		return "", fmt.Errorf("making a schema to compare: %w", err)
	}
	for _, part := range slices.Sorted(maps.Keys(is)) {
		switch sql, there := made[part]; {
		case !there:
			return "it has the " + part + " beside", nil
		case sql != is[part]:
			return "its " + part + " is another", nil
		}
	}
	for _, part := range slices.Sorted(maps.Keys(made)) {
		if _, there := is[part]; !there {
			return "it lacks the " + part, nil
		}
	}
	return "", nil
}

// migratedSchema is that of a new store, made in memory.
func migratedSchema(ctx context.Context, files []string) (schema map[string]string, err error) {
	pool, err := seal.OpenMemory()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	scripts := []string{createVersion}
	for _, file := range files {
		script, err := migrations.ReadFile(file)
		if err != nil {
			return nil, err
		}
		scripts = append(scripts, string(script))
	}
	if err := execAll(ctx, conn, scripts); err != nil {
		return nil, err
	}
	return readSchema(ctx, conn)
}

// readSchema reads what makes each part of a schema, white space apart, by its kind
// and name. Which tables hold SQLite's statistics depends on how it was built.
func readSchema(ctx context.Context, conn *sql.Conn) (schema map[string]string, err error) {
	rows, err := conn.QueryContext(ctx, `SELECT type, name, tbl_name, COALESCE(sql, '') FROM sqlite_schema
		WHERE NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4'))`)
	if err != nil {
		return nil, err
	}
	schema = map[string]string{}
	err = eachRow(rows, func(scan func(...any) error) error {
		var kind, name, table, made string
		err := scan(&kind, &name, &table, &made)
		schema[fmt.Sprintf("%s %q", kind, name)] = table + ": " + strings.Join(strings.Fields(made), " ")
		return err
	})
	return schema, err
}

// checkSigned compares the manifest with the store and with its log, once that has
// grown: what the backup's checkpoint covers may be more than the backup has.
func (db *DB) checkSigned(ctx context.Context) error {
	r := db.restoring
	if r.From == "" {
		return nil
	}
	v, err := evidence.ParseVerifier(db.LogKey())
	if err != nil {
		return err
	}
	c, err := evidence.OpenCheckpoint(r.manifest.Checkpoint, v)
	if err != nil || r.manifest.Store != hex.EncodeToString(db.id[:]) || c.Size < r.manifest.Entries {
		return erasure.Errorf(erasure.CodeInvalid, "The backup.json in %s is not that of this store: its store or its checkpoint is another's; use another backup.", r.From)
	}
	var size int64
	if err := db.reads.QueryRowContext(ctx, logSizeQuery).Scan(&size); err != nil || c.Size > size {
		return err
	}
	root, err := tlog.TreeHash(c.Size, db.tree(ctx))
	if err == nil && root != c.Root {
		err = erasure.Errorf(erasure.CodeInvalid, "The deletion log of the backup in %s is not the one that its checkpoint signs; use another backup.", r.From)
	}
	return err
}

// checkTree recomputes the tree from the hashes of the entries, which may have been
// changed together with the entries, and compares its root with the one that is
// kept. What is signed is compared with that.
func (db *DB) checkTree(ctx context.Context) error {
	var leaves evidence.Frontier
	for n := linesPerRead; n == linesPerRead; {
		hashes, err := db.leafHashes(ctx, leaves.Size())
		if err != nil {
			return err
		}
		n = len(hashes)
		for _, h := range hashes {
			leaves.Add(h)
		}
	}
	root, err := tlog.TreeHash(leaves.Size(), db.tree(ctx))
	if err == nil && root != leaves.Root() {
		err = erasure.Errorf(erasure.CodeInvalid, "The deletion log in this efface.db is not the one that was written; use another backup.")
	}
	return err
}

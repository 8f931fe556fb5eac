package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// Backup copies the database to a directory, which must be new or empty, as it
// is at one instant, while the store is in use. The copy has no look-ups, so
// that it can't be searched: [RestoreBackup] finds them anew. Then the
// keyring is copied to keyringTo, unless that is "": it must be at least as new
// as what names its keys.
//
// The log has an entry of it before anything is copied. What fails leaves nothing
// in either place.
func (db *DB) Backup(ctx context.Context, actor erasure.Actor, dir, keyringTo string) (m Manifest, err error) {
	if err := db.checkBackupPlaces(dir, keyringTo); err != nil {
		return m, err
	}
	if err := newDir(dir); err != nil {
		return m, err
	}
	defer func() {
		if err != nil { // a part of a backup is none
			err = errors.Join(err, emptyDir(dir))
		}
	}()
	err = db.write(ctx, func(t *tx) error {
		t.log(erasure.Entry{Kind: erasure.BackupMade, Actor: actor})
		return nil
	})
	if err != nil {
		return m, err
	}
	path := filepath.Join(dir, databaseFile)
	m = Manifest{Version: manifestVersion, Store: hex.EncodeToString(db.id[:]), Program: db.options.Program, MadeAt: db.options.Clock.Now().Wall.UTC()}
	if err := copyDatabase(ctx, filepath.Join(db.options.Dir, databaseFile), path, &m); err != nil {
		return m, fmt.Errorf("copying the database: %w", err)
	}
	c, err := db.checkpointOf(ctx, m.Entries)
	if err != nil {
		return m, err
	}
	m.Checkpoint = c.signed
	if m.SHA256, m.Bytes, err = digestFile(path); err != nil {
		return m, err
	}
	if err := m.Sign(db.signer); err != nil {
		return m, err
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	if err := seal.CreateSecret(filepath.Join(dir, manifestFile), string(b)+"\n"); err != nil {
		return m, err
	}
	if keyringTo != "" {
		if err := db.keyring.CopyTo(ctx, keyringTo); err != nil {
			return m, fmt.Errorf("copying the keyring: %w", err)
		}
	}
	return m, db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE store SET backed_up = $1`, t.now.UnixMilli())
		return err
	})
}

// checkBackupPlaces refuses places where a copy would be lost with the store, or
// where what is kept apart would lie together.
func (db *DB) checkBackupPlaces(dir, keyringTo string) error {
	if _, err := os.Stat(filepath.Dir(filepath.Clean(dir))); errors.Is(err, fs.ErrNotExist) {
		return erasure.Errorf(erasure.CodeInvalid, "There is no directory %s to make the backup in; see whether its disk is mounted, or make it.", filepath.Dir(filepath.Clean(dir)))
	}
	for _, to := range []string{dir, keyringTo} {
		for _, own := range []string{db.options.Dir, db.options.Witness} {
			if to != "" && inside(to, own) {
				return erasure.Errorf(erasure.CodeInvalid, "Copy to another place than %s, best on another disk: what is in %s is lost with it.", to, own)
			}
		}
	}
	if keyringTo == "" {
		return nil
	}
	if inside(keyringTo, dir) {
		return erasure.Errorf(erasure.CodeInvalid, "Copy the keyring to another place than the database: %s is to be deleted within days, and %s to be kept.", keyringTo, dir)
	}
	if _, err := os.Lstat(keyringTo); err == nil {
		return erasure.Errorf(erasure.CodeConflict, "There is a file %s already; a copy of the keyring is never written over one.", keyringTo)
	}
	return nil
}

// emptyDir deletes the files in a directory.
func emptyDir(dir string) error {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		err = errors.Join(err, os.Remove(filepath.Join(dir, f.Name())))
	}
	return err
}

func newDir(dir string) error {
	if err := makeDir(dir); err != nil {
		return err
	}
	there, err := os.ReadDir(dir)
	if err == nil && len(there) > 0 {
		err = erasure.Errorf(erasure.CodeConflict, "There are files in %s already; name a new directory with --to.", dir)
	}
	return err
}

func digestFile(path string) (hash string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, errors.Join(err, f.Close())
}

// copyDatabase copies the rows of all tables but lookup into a new database:
// so it holds nothing that SQLite left behind in its pages.
func copyDatabase(ctx context.Context, from, path string, m *Manifest) (err error) {
	if err := seal.CreateFile(path); err != nil {
		return err
	}
	pool, err := seal.OpenPool(path, seal.DSNOptions{CacheKiB: 64 << 10}, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := execAll(ctx, conn, copyBegins, from); err != nil {
		return err
	}
	if err := copyTables(ctx, conn); err != nil {
		return err
	}
	err = conn.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM log_hashes), (SELECT MAX(n) FROM schema_version)`).Scan(&m.Entries, &m.Schema)
	if err != nil {
		return err
	}
	if err := execAll(ctx, conn, copyEnds); err != nil {
		return err
	}
	return syncPath(path)
}

// What SQLite alone understands of a copy. Nothing is to be taken back in a new
// file, and it is made durable as a whole at the end. The source's snapshot
// begins with the first read of it.
var (
	copyBegins = []string{`PRAGMA main.journal_mode = OFF`, `PRAGMA main.synchronous = OFF`, `ATTACH $1 AS source`, `BEGIN`}
	copyEnds   = []string{`UPDATE main.store SET backup = 1, witness = 0`, `COMMIT`, `DETACH source`}
)

func execAll(ctx context.Context, conn *sql.Conn, statements []string, args ...any) error {
	for _, s := range statements {
		var with []any
		if strings.Contains(s, "$1") {
			with = args
		}
		if _, err := conn.ExecContext(ctx, s, with...); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// schemaPart is a table, index or trigger.
type schemaPart struct{ kind, name, sql string }

func copyTables(ctx context.Context, conn *sql.Conn) error {
	parts, err := schemaOf(ctx, conn)
	if err != nil {
		return err
	}
	var statements []string
	for _, p := range parts {
		statements = append(statements, p.sql)
		if p.kind != "table" || p.name == "lookup" {
			continue
		}
		copied := fmt.Sprintf(`INSERT INTO main.%[1]s SELECT * FROM source.%[1]s`, p.name)
		if p.name == "erasure_checks" { // which set fingerprints aside as well
			copied += ` WHERE kind <> 'lookup'`
		}
		statements = append(statements, copied)
	}
	statements = append(statements,
		`DELETE FROM main.sqlite_sequence`, `INSERT INTO main.sqlite_sequence SELECT * FROM source.sqlite_sequence`,
		`ANALYZE main`, `DELETE FROM main.sqlite_stat1`, `INSERT INTO main.sqlite_stat1 SELECT * FROM source.sqlite_stat1`)
	return execAll(ctx, conn, statements)
}

// schemaOf lists tables first, then indexes, then triggers, which would refuse
// some of what fills the tables.
func schemaOf(ctx context.Context, conn *sql.Conn) (parts []schemaPart, err error) {
	rows, err := conn.QueryContext(ctx, `SELECT type, name, sql FROM source.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var p schemaPart
		err := scan(&p.kind, &p.name, &p.sql)
		parts = append(parts, p)
		return err
	})
	order := []string{"table", "index", "trigger"}
	slices.SortStableFunc(parts, func(a, b schemaPart) int { return slices.Index(order, a.kind) - slices.Index(order, b.kind) })
	return parts, err
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

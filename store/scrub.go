package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/efface/efface/store/seal"
)

// scrubEvery leaves whoever looks every hour time enough for a scrub a day.
const scrubEvery = 22 * time.Hour

// Scrubbed says what a scrub did.
type Scrubbed struct {
	Pages    int  // whose gaps held something
	Vacuumed bool // all pages were written anew, for SQLite was built without sqlite_dbpage
	// Busy says that a reader keeps old pages. The scrub is not done then, and
	// is to be called again.
	Busy bool
}

// ScrubDue reports whether a day has nearly passed since the last scrub.
func (db *DB) ScrubDue(ctx context.Context) (due bool, err error) {
	_, hb := db.now()
	var last int64
	err = db.reads.QueryRowContext(ctx, `SELECT begun FROM scrubs ORDER BY begun DESC LIMIT 1`).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return hb.Store-last >= scrubEvery.Milliseconds(), err
}

// Scrub clears the gaps of the database's pages. SQLite overwrites the rows
// that it deletes, but not always the copies of them that it left behind when it
// moved rows between pages, and a look-up fingerprint among them would tell whom
// there was. The keyring has no such gaps, and is never scrubbed.
//
// The pages are read and written some at a time, so that other writes come
// between. A copy of what was deleted before cannot get behind the scrub by
// them: SQLite moves rows one by one, and a page with its gaps only where the
// root of a tree becomes an inner page, and all roots are cleared first. A copy
// of what is deleted later is the next scrub's. Whole pages stand in the WAL
// too, so it is emptied in the end; and before, for a reader that stays would
// make all of it useless.
func (db *DB) Scrub(ctx context.Context) (Scrubbed, error) { return db.scrub(ctx, db.clearPages) }

func (db *DB) scrub(ctx context.Context, by func(context.Context, *sql.DB, *Scrubbed) (begun int64, err error)) (s Scrubbed, err error) {
	path, err := filepath.EvalSymlinks(filepath.Join(db.options.Dir, databaseFile))
	if err != nil {
		return s, err
	}
	pool, err := seal.OpenPool(path, seal.DSNOptions{BusyTimeout: seal.TruncateWait}, 1)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	if s.Busy, err = seal.Truncate(ctx, pool, path); s.Busy || err != nil {
		return s, err
	}
	begun, err := by(ctx, pool, &s)
	if err != nil {
		return s, fmt.Errorf("clearing gaps of pages: %w", err)
	}
	if s.Busy {
		return s, nil
	}
	if s.Busy, err = seal.Truncate(ctx, pool, path); s.Busy || err != nil {
		return s, err
	}
	return s, db.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO scrubs (begun, done_at) VALUES ($1, $2) ON CONFLICT (begun) DO NOTHING`, begun, t.now.UnixMilli())
		return err
	})
}

// clearPages returns the store's time that it began at.
func (db *DB) clearPages(ctx context.Context, pool *sql.DB, s *Scrubbed) (begun int64, err error) {
	var there bool
	var pages int64
	err = pool.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pragma_module_list WHERE name = 'sqlite_dbpage'), page_count
		FROM pragma_page_count`).Scan(&there, &pages)
	if err != nil {
		return 0, err
	}
	if !there || pages > lastPlainPage {
		return db.vacuum(ctx, pool, s)
	}
	err = db.write(ctx, func(t *tx) error {
		begun = t.hb.Store
		s.Pages, err = t.clearPages(rootPagesQuery)
		return err
	})
	for from := int64(1); from <= pages && err == nil; from += scrubPages {
		err = db.write(ctx, func(t *tx) error {
			n, err := t.clearPages(somePagesQuery, from, from+scrubPages-1)
			if err != nil {
				return err
			}
			s.Pages += n
			return t.row(`SELECT page_count FROM pragma_page_count`).Scan(&pages)
		})
	}
	return begun, err
}

// vacuum writes the whole database anew.
func (db *DB) vacuum(ctx context.Context, pool *sql.DB, s *Scrubbed) (begun int64, err error) {
	if err := db.Beat(ctx); err != nil { // what is written before has an earlier time
		return 0, err
	}
	_, hb := db.now()
	s.Vacuumed = true
	_, err = pool.ExecContext(ctx, `VACUUM`)
	var lite sqlite3.Error
	if errors.As(err, &lite) && lite.Code == sqlite3.ErrBusy {
		s.Busy, err = true, nil
	}
	return hb.Store, err
}

// scrubPages is how many pages are read in one commit: 4 MiB.
const scrubPages = 1024

const (
	rootPagesQuery = `SELECT d.pgno, d.data FROM (SELECT 1 AS n UNION SELECT rootpage FROM sqlite_schema WHERE rootpage > 0) AS p
		CROSS JOIN sqlite_dbpage d WHERE d.pgno = p.n`
	somePagesQuery = `SELECT d.pgno, d.data FROM
		(WITH RECURSIVE pages (n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM pages WHERE n < $2) SELECT n FROM pages) AS p
		CROSS JOIN sqlite_dbpage d WHERE d.pgno = p.n`
)

// gapped is a page whose gaps are to be cleared.
type gapped struct {
	number int64
	clean  []byte
}

// clearPages clears the pages that a query gives, and returns how many it had
// to write.
func (t *tx) clearPages(query string, args ...any) (n int, err error) {
	var first []byte
	if err := t.row(`SELECT data FROM sqlite_dbpage WHERE pgno = 1`).Scan(&first); err != nil {
		return 0, err
	}
	clean, reserved := make([]byte, len(first)), int(first[reservedAt])
	var found []gapped
	err = t.each(func(scan func(...any) error) error {
		var number int64
		var page sql.RawBytes
		if err := scan(&number, &page); err != nil || !isTree(page, number) {
			return err
		}
		if err := cleared(clean, page, number, reserved); err != nil {
			return fmt.Errorf("page %d: %w", number, err)
		}
		if !bytes.Equal(clean, page) {
			found = append(found, gapped{number, bytes.Clone(clean)})
		}
		return nil
	}, query, args...)
	if err != nil {
		return 0, err
	}
	for _, p := range found {
		if _, err := t.exec(`UPDATE sqlite_dbpage SET data = $1 WHERE pgno = $2`, p.clean, p.number); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

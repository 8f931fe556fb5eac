package seal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/mattn/go-sqlite3"

	"github.com/efface/efface/store/erasure"
)

// How a copy of the keyring is read: some pages at a time, so that a
// destruction waits for a step and not for the copy, and from the beginning
// again after each change. A keyring that changes all the time is read in one
// step in the end.
const (
	copyPages    = 256 // a megabyte
	copyRestarts = 20
)

// CopyTo copies the keyring to a new file that only its owner can read. A key
// whose destruction has returned before the copy ends is destroyed in it too.
func (k *Keyring) CopyTo(ctx context.Context, path string) error {
	return k.copyTo(ctx, path, func() {})
}

// copyTo calls between after each step but the last.
func (k *Keyring) copyTo(ctx context.Context, path string, between func()) (err error) {
	err = writeNew(path, nil)
	if errors.Is(err, fs.ErrExist) {
		return erasure.Errorf(erasure.CodeConflict, "There is a file %s already; a copy of the keyring is never written over one.", path)
	}
	if err != nil {
		return saying(err, "The copy of the keyring can't be written to %s; check that its directory exists and may be written to.", path)
	}
	defer func() {
		if err != nil { // a part of a copy is none
			err = errors.Join(err, os.Remove(path))
		}
	}()
	to, err := OpenPool(path, DSNOptions{}, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close(), syncFile(path)) }()
	from, err := OpenPool(k.path, DSNOptions{QueryOnly: true}, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	// What is overwritten in the copy must leave no trace of itself.
	if _, err := to.ExecContext(ctx, `PRAGMA journal_mode = OFF`); err != nil {
		return err
	}
	return withBoth(ctx, to, from, func(to, from *sqlite3.SQLiteConn) error { return copyAllPages(ctx, to, from, between) })
}

func withBoth(ctx context.Context, to, from *sql.DB, do func(to, from *sqlite3.SQLiteConn) error) error {
	dst, err := to.Conn(ctx)
	if err != nil {
		return err
	}
	defer dst.Close()
	src, err := from.Conn(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	return dst.Raw(func(d any) error {
		return src.Raw(func(s any) error { return do(d.(*sqlite3.SQLiteConn), s.(*sqlite3.SQLiteConn)) })
	})
}

func copyAllPages(ctx context.Context, to, from *sqlite3.SQLiteConn, between func()) (err error) {
	b, err := to.Backup("main", from, "main")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Finish()) }()
	pages, left, restarts := copyPages, 0, 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		done, err := b.Step(pages)
		if err != nil {
			return fmt.Errorf("copying pages: %w", err)
		}
		if done {
			return nil
		}
		if b.Remaining() >= left && left > 0 { // something changed, and it began again
			if restarts++; restarts > copyRestarts {
				pages = -1
			}
		}
		left = b.Remaining()
		between()
	}
}

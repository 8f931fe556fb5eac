package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/sys/unix"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// makeDir makes the data directory, for its owner alone whatever the umask.
func makeDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() || errors.Is(err, syscall.ENOTDIR) {
		return erasure.Errorf(erasure.CodeInvalid, "%s is not a directory; name one with --data.", dir)
	}
	if err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.Chmod(dir, 0o700)
}

// inside reports whether a path is a directory or in it, by whatever name.
func inside(path, dir string) bool {
	below, err := filepath.Rel(realPath(dir), realPath(path))
	return err == nil && filepath.IsLocal(below)
}

// realPath resolves the links in what is there of a path.
func realPath(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for there, rest := path, ""; ; there, rest = filepath.Dir(there), filepath.Join(filepath.Base(there), rest) {
		if real, err := filepath.EvalSymlinks(there); err == nil {
			return filepath.Join(real, rest)
		}
		if there == filepath.Dir(there) {
			return path
		}
	}
}

// lockDir takes the lock that the one server of a directory holds for as long
// as it runs. The system gives it up when the process ends, however it ends.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errors.Join(erasure.Errorf(erasure.CodeConflict,
			"Another Efface is already running on %s; stop it first, or choose another directory.", filepath.Dir(path)), f.Close())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if removed, err := isRemoved(f); removed || err != nil { // by a restore that was refused meanwhile
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		return lockDir(path)
	}
	return f, nil
}

// isRemoved reports whether an open file has no name any more.
func isRemoved(f *os.File) (bool, error) {
	var of unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &of)
	return of.Nlink == 0, err
}

// openError turns what stops an Open into a sentence that says what to do.
func openError(o Options, err error) error {
	var sentence *erasure.Error
	var lite sqlite3.Error
	var path *fs.PathError
	switch {
	case errors.As(err, &sentence):
		return sentence
	case errors.As(err, &path) && (errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)):
		return erasure.Errorf(erasure.CodeInvalid, "Efface cannot use %s: %v; put the file or directory that belongs there in its place, or name another.", path.Path, path.Err)
	case errors.Is(err, seal.ErrMaster), errors.Is(err, seal.ErrUnknown), errors.Is(err, seal.ErrDestroyed):
		return erasure.Errorf(erasure.CodeConflict,
			"The master key %s and the keyring %s do not both fit this store; put those that it was made with in their places.",
			o.MasterKey, o.Keyring)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS),
		errors.As(err, &lite) && (lite.Code == sqlite3.ErrReadonly || lite.Code == sqlite3.ErrCantOpen || lite.Code == sqlite3.ErrPerm):
		return erasure.Errorf(erasure.CodeInvalid,
			"Efface cannot write in %s; give its user the right to, or name another directory with --data.", places(o))
	case isFull(err):
		return erasure.Errorf(erasure.CodeInvalid, "The disk that holds %s is full; make room on it and start again.", places(o))
	case errors.As(err, &lite) && (lite.Code == sqlite3.ErrNotADB || lite.Code == sqlite3.ErrCorrupt):
		return erasure.Errorf(erasure.CodeInvalid, "The store in %s is damaged; restore it from a backup.", o.Dir)
	}
	return fmt.Errorf("opening the store: %w", err)
}

// places names where the store writes: the directory, and the keyring where it
// is elsewhere.
func places(o Options) string {
	if filepath.Dir(o.Keyring) == filepath.Clean(o.Dir) {
		return o.Dir
	}
	return o.Dir + " or " + o.Keyring
}

// isFull reports whether an error means that the disk is full. A sync that
// finds no room is an input/output error to SQLite.
func isFull(err error) bool {
	var lite sqlite3.Error
	return errors.Is(err, syscall.ENOSPC) || errors.As(err, &lite) &&
		(lite.Code == sqlite3.ErrFull || lite.Code == sqlite3.ErrIoErr && lite.SystemErrno == syscall.ENOSPC)
}

// openRegular opens a file to be read. What is none, as a pipe, could be read for
// ever.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, erasure.Errorf(erasure.CodeInvalid, "There is no file at %s, but a directory or device; name the file that belongs there.", path)
	}
	return os.Open(path)
}

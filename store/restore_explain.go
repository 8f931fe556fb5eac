package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/mattn/go-sqlite3"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// explain turns what stops a restore into a sentence that says what to do.
func (r Restore) explain(o, staged Options, err error) error {
	var path *fs.PathError
	switch {
	case erasure.CodeOf(err) != "":
	case isCorrupt(err):
		return r.damaged(o, staged)
	case Full(err):
		return erasure.Errorf(erasure.CodeInvalid, "The disk that holds %s is full; make room on it and run the same efface restore again.", places(o))
	case errors.As(err, &path) && errors.Is(err, fs.ErrPermission):
		return erasure.Errorf(erasure.CodeInvalid, "Efface may not open %s; give its user the right to, and restore again.", path.Path)
	case r.KeyringFrom != "" && (errors.Is(err, seal.ErrMaster) || errors.Is(err, seal.ErrUnknown) || errors.Is(err, seal.ErrDestroyed)):
		o.Keyring = r.KeyringFrom
	}
	return openError(o, fmt.Errorf("restoring: %w", err))
}

func isCorrupt(err error) bool {
	var lite sqlite3.Error
	return errors.As(err, &lite) && (lite.Code == sqlite3.ErrNotADB || lite.Code == sqlite3.ErrCorrupt)
}

// damaged says which file it is that can't be read.
func (r Restore) damaged(o, staged Options) error {
	switch {
	case r.KeyringFrom != "" && !sound(staged.Keyring):
		return erasure.Errorf(erasure.CodeInvalid, "The copy of the keyring %s is cut short or damaged; use another one.", r.KeyringFrom)
	case r.KeyringFrom == "" && !sound(o.Keyring):
		return erasure.Errorf(erasure.CodeInvalid, "The keyring %s is damaged; move it aside with the files beside it that end in -wal and -shm, and put a copy of it in place with --keyring-from.", o.Keyring)
	case r.From == "" && !sound(filepath.Join(o.Dir, databaseFile)):
		return erasure.Errorf(erasure.CodeInvalid, "The efface.db in %s is damaged; move it aside with the files beside it that end in -wal and -shm, and put a backup in place with --from.", o.Dir)
	case r.From != "" && !sound(filepath.Join(staged.Dir, databaseFile)):
		return erasure.Errorf(erasure.CodeInvalid, "The efface.db of the backup in %s is damaged, as its store was when it was backed up; use an older backup.", r.From)
	}
	return erasure.Errorf(erasure.CodeInvalid, "What was written to %s could not be read again, though the files put in place are whole; look after the disk and run the same efface restore again.", places(o))
}

// sound reports whether SQLite finds no damage in a database, from end to end; one
// that is not there has none.
func sound(path string) bool {
	pool, err := seal.OpenPool(path, seal.DSNOptions{QueryOnly: true}, 1)
	if err != nil {
		return true
	}
	said := "ok"
	err = pool.QueryRowContext(context.Background(), `PRAGMA quick_check(1)`).Scan(&said)
	return !isCorrupt(errors.Join(err, pool.Close())) && said == "ok"
}

// errUnnamed is for when all is in place but for that.
func errUnnamed(o Options) error {
	return erasure.Errorf(erasure.CodeInvalid, "What was restored is in place in %s and whole, but the keys that nothing in it names could not be destroyed in %s; see that Efface can write there and run the same efface restore again, or start efface serve, whose daily sweep destroys them within two days.", o.Dir, o.Keyring)
}

package store

import (
	"errors"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"github.com/efface/efface/store/erasure"
)

// Explain turns an error that has a known cause on the disk into an
// [erasure.Error] whose sentence says what to do. Any other stays as it is.
func (db *DB) Explain(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrWitness) {
		return erasure.Errorf(erasure.CodeInvalid, "Efface cannot write to its witness in %s; make room on its disk or give its user the right to, and start again.", db.options.Witness)
	}
	if isOverQuota(err) {
		return erasure.Errorf(erasure.CodeInvalid,
			"The disk that holds %s has no more room for this user; make room on it and start again.", db.options.Dir)
	}
	var lite sqlite3.Error
	if errors.As(err, &lite) && lite.Code == sqlite3.ErrBusy {
		return erasure.Errorf(erasure.CodeConflict, "Another program keeps the store in %s locked; see that it goes on, or end it, and start again.", db.options.Dir)
	}
	if e := openError(db.options, err); erasure.CodeOf(e) != "" {
		return e
	}
	return err
}

// Full reports whether an error means that the disk takes no more: nothing of
// the write was kept, and it may be tried again once there is room.
func Full(err error) bool { return isFull(err) || isOverQuota(err) }

// isOverQuota reports whether a limit on files or a quota stopped a write,
// which SQLite does not tell from a broken disk.
func isOverQuota(err error) bool {
	var lite sqlite3.Error
	if !errors.As(err, &lite) || lite.Code != sqlite3.ErrIoErr {
		return false
	}
	return lite.SystemErrno == syscall.EDQUOT || lite.SystemErrno == syscall.EFBIG
}

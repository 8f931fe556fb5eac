package seal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/efface/efface/store/erasure"
)

// CreateFile makes an empty database file that only its owner can read,
// whatever the umask, and leaves one that is there alone. SQLite gives the WAL
// and its index the same mode.
func CreateFile(path string) error {
	err := writeNew(path, nil)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// writeNew writes a file that must not exist yet, durably, with mode 0600.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := fill(f, content); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return syncFile(filepath.Dir(path))
}

func fill(f *os.File, content []byte) error {
	_, err := f.Write(content)
	// The umask may have taken bits away.
	return errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
}

// syncFile makes a file or a directory durable.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// ownerOnly refuses a file that others than its owner have any access to.
func ownerOnly(path string, i fs.FileInfo) error {
	if i.Mode().IsRegular() && i.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return erasure.Errorf(erasure.CodeInvalid,
		"Others can read the file %s; make it a file that only its owner can read, with chmod 600.", path)
}

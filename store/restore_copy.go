package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/efface/efface/store/erasure"
)

// copyBackup copies a backup's database, and refuses one that is not as its
// manifest says, or whose manifest the log's key has not signed.
func (r Restore) copyBackup(to, logKey string) (m Manifest, err error) {
	if m, err = r.manifest(); err != nil {
		return m, err
	}
	if err := r.checkSignature(m, logKey); err != nil {
		return m, err
	}
	hash, size, err := copyFile(filepath.Join(r.From, databaseFile), to)
	if errors.Is(err, fs.ErrNotExist) {
		return m, r.noBackup()
	}
	if err == nil && (hash != m.SHA256 || size != m.Bytes) {
		err = r.cutShort()
	}
	return m, err
}

func (r Restore) cutShort() error {
	return erasure.Errorf(erasure.CodeInvalid, "The backup in %s is cut short or damaged: its efface.db is not the one that its backup.json tells of; use another backup.", r.From)
}

func (r Restore) noBackup() error {
	return erasure.Errorf(erasure.CodeInvalid, "There is no backup in %s; name the directory that efface backup wrote, with its efface.db and backup.json.", r.From)
}

// copyKeyring copies the file as it is: a copy that efface backup wrote is whole in
// itself.
func (r Restore) copyKeyring(to string) error {
	if info, err := os.Stat(r.KeyringFrom + "-wal"); err == nil && info.Size() > 0 {
		return erasure.Errorf(erasure.CodeInvalid, "A part of the keyring %s stands in the file beside it that ends in -wal; put both in the keyring's place and leave out --keyring-from.", r.KeyringFrom)
	}
	_, size, err := copyFile(r.KeyringFrom, to)
	if errors.Is(err, fs.ErrNotExist) {
		return erasure.Errorf(erasure.CodeInvalid, "There is no file %s; name the copy of the keyring that efface backup wrote.", r.KeyringFrom)
	}
	if err == nil && size == 0 { // SQLite would take it for a new database
		return erasure.Errorf(erasure.CodeInvalid, "The copy of the keyring %s is empty; use another one.", r.KeyringFrom)
	}
	return err
}

// copyFile copies to a new file that only its owner can read.
func copyFile(from, to string) (hash string, size int64, err error) {
	in, err := openRegular(from)
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", 0, err
	}
	h := sha256.New()
	size, err = io.Copy(io.MultiWriter(out, h), in)
	return hex.EncodeToString(h.Sum(nil)), size, errors.Join(err, out.Sync(), out.Close())
}

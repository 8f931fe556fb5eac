package witness

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// There reports whether there is a whole witness in a directory: its key is
// made last.
func There(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Make makes an empty witness unless there is one, with a key that wrapped makes.
func Make(dir string, wrapped func() []byte) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	lock, err := openLock(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if there, err := There(dir); there || err != nil { // another program made it first
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{logFile, headsFile, requestsFile, suppressionsFile, keyFile + ".new"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) { // half-made
			return err
		}
		f, err := create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if name == keyFile+".new" {
			_, err = f.WriteString(base64.StdEncoding.EncodeToString(wrapped()) + "\n")
		}
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	key := filepath.Join(dir, keyFile)
	return errors.Join(os.Rename(key+".new", key), syncDir(dir))
}

// MoveAway moves a witness's files, if there are any, into a new directory below
// its own, which may be another disk's root. It returns that directory.
func MoveAway(dir, name string) (string, error) {
	var there []string
	for _, name := range []string{keyFile, logFile, headsFile, requestsFile, suppressionsFile} { // the key first: without it there is no witness
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			there = append(there, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	if len(there) == 0 {
		return "", nil
	}
	to := filepath.Join(dir, name)
	if err := os.Mkdir(to, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	for _, name := range there {
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(to, name)); err != nil {
			return "", err
		}
	}
	return to, errors.Join(syncDir(to), syncDir(dir))
}

// ReadKey reads the wrapped key.
func ReadKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, damaged(path, 0, errForm)
	}
	return b, nil
}

// WriteKey writes a wrapped key of the same length over the one that is there.
func WriteKey(dir string, wrapped []byte) error {
	f, err := os.OpenFile(filepath.Join(dir, keyFile), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(base64.StdEncoding.EncodeToString(wrapped)+"\n"), 0)
	return errors.Join(err, f.Sync(), f.Close())
}

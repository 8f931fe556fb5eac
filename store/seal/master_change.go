package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/store/erasure"
)

// masterFiles are the master key's file and what stands beside it while it is
// changed.
type masterFiles struct {
	path string // not a link
	next string // the key to come
	part string // a part of that, by which nothing is wrapped
	past string // the key that was, or another name of the file at path
}

func masterFilesOf(path string) (masterFiles, error) {
	path, err := filepath.EvalSymlinks(path)
	return masterFiles{path, path + ".new", path + ".new.part", path + ".old"}, err
}

// HoldMaster keeps the master key at path from being changed until the file
// that it returns is closed, or its process ends. Alone, it is for the one who
// changes it, and refused while anybody holds it.
func HoldMaster(path string, alone bool) (*os.File, error) {
	for {
		f, err := lockMaster(path, alone)
		if err != nil {
			return nil, err
		}
		held, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		there, err := os.Stat(path)
		if err != nil {
			return nil, errors.Join(unreadMaster(path, err), f.Close())
		}
		if os.SameFile(held, there) {
			return f, nil
		}
		if err := f.Close(); err != nil { // it was changed before the lock was there
			return nil, err
		}
	}
}

func lockMaster(path string, alone bool) (*os.File, error) {
	mode, how := os.O_RDONLY, unix.LOCK_SH
	if alone {
		mode, how = os.O_RDWR, unix.LOCK_EX
	}
	f, err := os.OpenFile(path, mode, 0)
	if alone && errors.Is(err, fs.ErrPermission) { // to read is enough, but on NFS
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, unreadMaster(path, err)
	}
	switch err := flockSoon(f, how); {
	case err == nil:
		return f, nil
	case errors.Is(err, unix.EWOULDBLOCK) && alone:
		return nil, errors.Join(erasure.Errorf(erasure.CodeConflict,
			"Efface is running on this store; stop the server and any other command first."), f.Close())
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, errors.Join(erasure.Errorf(erasure.CodeConflict,
			"Another command has the master key %s for itself; wait until efface key rotate-master or efface restore has ended.", path), f.Close())
	case alone:
		return nil, errors.Join(err, f.Close())
	}
	return f, nil // on a file system without locks nobody can change the key
}

// lockPatience is how long a lock is waited for. A command that is ending, or a
// program that one has just started, may hold it for some milliseconds.
const lockPatience = time.Second

func flockSoon(f *os.File, how int) error {
	for began := time.Now(); ; time.Sleep(lockPatience / 50) {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Since(began) > lockPatience {
			return err
		}
	}
}

// MasterChanging reports whether a change of the master key at path was broken
// off: before the next key took its place, or before the past one was removed.
func MasterChanging(path string) (next, past bool, err error) {
	files, err := masterFilesOf(path)
	if err != nil {
		return false, false, unreadMaster(path, err)
	}
	if next, err = isThere(files.next); err != nil {
		return false, false, err
	}
	past, err = isThere(files.past)
	return next, past, err
}

func isThere(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// NextMaster returns the master key that is to take the place of the one at
// path, with that one. It makes it, in a file beside it, unless it is there.
// The caller holds the key alone.
func NextMaster(path string) (Master, error) {
	m, err := LoadMaster(path)
	if err != nil || m.secret.former != nil {
		return m, err
	}
	files, err := masterFilesOf(path)
	if err != nil {
		return Master{}, err
	}
	if err := files.makeNext(nextVersion(m.Version())); err != nil {
		return Master{}, saying(err, "The new master key can't be written to %s; check that its directory may be written to and has room.", files.next)
	}
	return LoadMaster(path)
}

// makeNext ends with a rename, so that a next key is always a whole one.
func (f masterFiles) makeNext(version byte) error {
	if err := os.Remove(f.part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key := make([]byte, keySize)
	rand.Read(key)
	if err := CreateSecret(f.part, masterText(version, key)); err != nil {
		return err
	}
	if err := os.Rename(f.part, f.next); err != nil {
		return err
	}
	return syncFile(filepath.Dir(f.path))
}

// ReplaceMaster puts the next master key in the place of the one at path, and
// overwrites and removes that one. Broken off, it is to be called again. The
// caller holds the key alone.
func ReplaceMaster(path string) error {
	files, err := masterFilesOf(path)
	if err != nil {
		return err
	}
	for _, step := range []func() error{files.keepPast, files.takePlace, files.removePast} {
		err := step()
		if erasure.CodeOf(err) != "" {
			return err
		}
		if err != nil {
			return saying(err, "The new master key can't take the place of %s; let its directory be written to, and run efface key rotate-master again.", path)
		}
	}
	return nil
}

// keepPast gives the key a second name, by which it is found to be overwritten
// after the next one has taken its place.
func (f masterFiles) keepPast() error {
	if next, err := isThere(f.next); err != nil || !next {
		return err
	}
	if err := f.removePast(); err != nil {
		return err
	}
	if err := os.Link(f.path, f.past); err != nil {
		return err
	}
	return syncFile(filepath.Dir(f.path))
}

func (f masterFiles) takePlace() error {
	if next, err := isThere(f.next); err != nil || !next {
		return err
	}
	if err := os.Rename(f.next, f.path); err != nil {
		return err
	}
	return syncFile(filepath.Dir(f.path))
}

// removePast writes zeros over the key that was, unless its name is only
// another one of the key in force. Whether that reaches the same blocks is the
// file system's to decide.
func (f masterFiles) removePast() error {
	past, err := os.Stat(f.past)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	inForce, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if !os.SameFile(past, inForce) {
		if err := f.isPast(); err != nil {
			return err
		}
		if err := overwriteFile(f.past, past.Size()); err != nil {
			return err
		}
	}
	if err := os.Remove(f.past); err != nil {
		return err
	}
	return syncFile(filepath.Dir(f.path))
}

// isPast refuses a file that no change has left: somebody may keep a copy of the
// key in force by that name.
func (f masterFiles) isPast() error {
	text, err := os.ReadFile(f.past)
	if err != nil {
		return err
	}
	inForce, err := readMaster(f.path)
	if err != nil {
		return err
	}
	version, _, ok := parseMaster(strings.TrimSuffix(string(text), "\n"))
	overwritten := len(bytes.Trim(text, "\x00")) == 0
	if overwritten || ok && nextVersion(version) == inForce.Version() {
		return nil
	}
	return erasure.Errorf(erasure.CodeConflict, "There is a file %s that no change of the master key has left; move it away, and run efface key rotate-master again.", f.past)
}

func overwriteFile(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, size))
	return errors.Join(err, f.Sync(), f.Close())
}

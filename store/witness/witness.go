// Package witness keeps a copy of what must not be lost with the store: the
// entries of the deletion log and its signed heads, the open requests, and the
// suppressions. It stands in a directory of its own, meant for another disk, as
// files of lines. docs/threat-model.md says what is in each.
package witness

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The files of a witness.
const (
	logFile          = "log.jsonl"
	headsFile        = "heads.jsonl"
	requestsFile     = "requests.jsonl"
	suppressionsFile = "suppressions.jsonl"
	keyFile          = "key"
	lockFile         = "lock"
)

// Witness is an open witness. Several programs may have it open; one at a time
// writes, in an [Update].
type Witness struct {
	dir  string
	disk disk

	writing      sync.Mutex // one [Update] at a time in this program, too
	lock         *os.File   // the same among programs
	log          lines
	heads        lines
	suppressions lines
	requests     requests

	next     int64  // the index that the next entry has
	head     string // the newest, "" where there is none
	headSize int64  // how many entries it signs
}

// disk is how a witness's files are written. Tests let it fail.
type disk struct {
	writeAt func(f *os.File, b []byte, at int64) (int, error)
	sync    func(f *os.File) error
}

var realDisk = disk{
	writeAt: func(f *os.File, b []byte, at int64) (int, error) { return f.WriteAt(b, at) },
	sync:    func(f *os.File) error { return unix.Fdatasync(int(f.Fd())) },
}

var errForm = errors.New("it is not in the form that Efface writes")

// Damaged says which line of a witness is damaged.
type Damaged struct {
	Path string
	Line int // counted from 1 on
	Err  error
}

func (e *Damaged) Error() string { return fmt.Sprintf("line %d of %s: %v", e.Line, e.Path, e.Err) }

// Unwrap gives what is wrong.
func (e *Damaged) Unwrap() error { return e.Err }

// damaged counts the lines up to a place.
func damaged(path string, at int64, err error) error {
	f, openErr := os.Open(path)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	line := 1
	countErr := eachLine(f, 0, at, func([]byte, int64) error { line++; return nil })
	return errors.Join(&Damaged{path, line, err}, countErr, f.Close())
}

// Open opens the witness in a directory; fs.ErrNotExist where a file of it is
// missing, and [Damaged] where one is.
func Open(dir string) (*Witness, error) {
	w := &Witness{dir: dir, disk: realDisk}
	w.log.path, w.heads.path = filepath.Join(dir, logFile), filepath.Join(dir, headsFile)
	w.suppressions.path, w.requests.path = filepath.Join(dir, suppressionsFile), filepath.Join(dir, requestsFile)
	var err error
	if w.lock, err = os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	if err := w.Update(func(*Update) error { return nil }); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// openLock opens the lock's file and takes the lock, which ends with it.
func openLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f, unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lockPatience is how long another program may write before an update gives up:
// one that somebody stopped must not stop the server.
const lockPatience = 10 * time.Second

var errLocked = errors.New("another program holds the witness's lock")

func flock(f *os.File, how int) error {
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EWOULDBLOCK):
			return err
		case time.Since(began) > lockPatience:
			return errLocked
		}
	}
}

// Close closes the files.
func (w *Witness) Close() error {
	w.writing.Lock()
	defer w.writing.Unlock()
	var errs []error
	for _, l := range w.files() {
		if l.f != nil {
			errs = append(errs, l.f.Close())
		}
	}
	return errors.Join(append(errs, w.lock.Close())...)
}

func (w *Witness) files() []*lines {
	return []*lines{&w.log, &w.requests.lines, &w.heads, &w.suppressions}
}

// Takes reports whether the witness is in its place, on a disk with room for so
// many bytes.
func (w *Witness) Takes(room uint64) error {
	var disk unix.Statfs_t
	err := unix.Statfs(w.log.path, &disk)
	if err == nil && disk.Bavail*uint64(disk.Bsize) < room {
		err = unix.ENOSPC
	}
	if err != nil {
		return fmt.Errorf("looking after %s: %w", w.log.path, err)
	}
	return nil
}

// Entries gives fn the log's lines from an entry on, good until it returns. It
// may run beside an [Update].
func (w *Witness) Entries(from int64, fn func(index int64, line []byte) error) (err error) {
	f, err := os.Open(w.log.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size, err := lastLineEnd(f, info.Size())
	if err != nil {
		return err
	}
	at, err := search(f, size, from, entryIndex)
	if err != nil {
		return err
	}
	index := from
	return eachLine(f, at, size, func(line []byte, at int64) error {
		if err := fn(index, line); err != nil {
			return damaged(w.log.path, at, err)
		}
		index++
		return nil
	})
}

// Requests gives fn every open request. It may run beside an [Update].
func (w *Witness) Requests(fn func(Request) error) error {
	return w.eachOf(w.requests.path, func(line []byte) error {
		if line[0] == ' ' || line[len(line)-1] == ' ' {
			return nil
		}
		q, err := readRequest(line)
		if err != nil {
			return err
		}
		return fn(q)
	})
}

// Suppressions gives fn every suppression; a later one of the same fingerprint
// takes the place of an earlier one. It may run beside an [Update].
func (w *Witness) Suppressions(fn func(Suppression) error) error {
	return w.eachOf(w.suppressions.path, func(line []byte) error {
		var s Suppression
		if err := json.Unmarshal(line, &s); err != nil {
			return errForm
		}
		return fn(s)
	})
}

func (w *Witness) eachOf(path string, fn func(line []byte) error) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return eachLine(f, 0, info.Size(), func(line []byte, at int64) error {
		err := errForm
		if len(line) > 0 {
			err = fn(line)
		}
		if err != nil {
			return damaged(path, at, err)
		}
		return nil
	})
}

// Heads gives fn every signed head, the oldest first. It may run beside an
// [Update].
func (w *Witness) Heads(fn func(size int64, signed string) error) error {
	return w.eachOf(w.heads.path, func(line []byte) error {
		signed, size, err := readHead(line)
		if err != nil {
			return err
		}
		return fn(size, signed)
	})
}

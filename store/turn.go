package store

import (
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// turns lets programs that write to one store take turns, in the order in which
// they ask. SQLite's own lock goes to whoever asks while it is free: a program
// that waits asks ten times a second, and one that has just committed asks at
// once, so that it alone would get it.
//
// Who asks locks that byte of a file whose place is the time, and waits for
// those before it to be free. It is a courtesy, and SQLite's lock is what counts.
type turns struct {
	file  *os.File
	asked int64 // the place that is locked
	past  int64 // those up to it are not waited for
}

// turnWait is how long one turn is waited for, many times as long as a commit
// takes: a program that was stopped keeps its place.
const turnWait = 5 * time.Second

// How often others' places are looked at. A lock that is waited for in the
// kernel can't be given up.
const (
	turnLookFirst = 50 * time.Microsecond
	turnLookLast  = time.Millisecond
)

const turnFile = "efface.turn"

func (t *turns) open(dir string) (err error) {
	t.file, err = os.OpenFile(filepath.Join(dir, turnFile), os.O_RDWR|os.O_CREATE, 0o600)
	return err
}

func (t *turns) close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

// take waits for this program's turn, which lasts until end.
func (t *turns) take() {
	t.ask()
	t.wait(turnWait)
}

func (t *turns) ask() {
	t.asked = SystemClock{}.Now().Boottime.Nanoseconds() // which all programs on the machine have
	t.lock(unix.F_OFD_SETLK, unix.F_WRLCK, t.asked, 1)
}

func (t *turns) wait(limit time.Duration) {
	began := time.Now()
	for look := turnLookFirst; ; look = min(2*look, turnLookLast) {
		first, there := t.before()
		if !there {
			return
		}
		if time.Since(began) > limit {
			t.past = first
			return
		}
		time.Sleep(look)
	}
}

func (t *turns) end() { t.lock(unix.F_OFD_SETLK, unix.F_UNLCK, t.asked, 1) }

// before finds another program that asked earlier and is not done.
func (t *turns) before() (place int64, there bool) {
	l, err := t.lock(unix.F_OFD_GETLK, unix.F_WRLCK, t.past+1, t.asked-t.past-1)
	return l.Start, err == nil && l.Type != unix.F_UNLCK
}

// lock is about locks that belong to the open file: two stores in one program
// take turns as well. Where the file system has no locks there are no turns.
func (t *turns) lock(command int, kind int16, place, length int64) (unix.Flock_t, error) {
	l := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: place, Len: length}
	err := unix.FcntlFlock(t.file.Fd(), command, &l)
	return l, err
}

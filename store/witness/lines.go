package witness

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lines is a file of lines that grows at its end alone.
type lines struct {
	path  string
	f     *os.File
	size  int64 // up to the end of the last whole line
	base  int64 // what of that stood there when the update began
	dirty bool  // written since
}

// refresh takes notice of what another program wrote since, and cuts off a half
// last line: what a kill leaves. anew says that all of it is to be read again.
func (l *lines) refresh() (anew bool, err error) {
	anew, err = l.read()
	l.base = l.size
	return anew, err
}

func (l *lines) read() (anew bool, err error) {
	if l.f != nil {
		anew, err := l.replaced()
		if err != nil {
			return false, err
		}
		if !anew {
			return false, l.grown()
		}
		if err := l.forget(); err != nil {
			return false, err
		}
	}
	l.f, err = os.OpenFile(l.path, os.O_RDWR, 0)
	if err != nil {
		return true, err
	}
	l.dirty = true
	return true, l.grown()
}

// replaced reports whether another file stands in its place, or it was cut.
func (l *lines) replaced() (bool, error) {
	there, err := os.Stat(l.path)
	if err != nil {
		return false, err
	}
	own, err := l.f.Stat()
	return err == nil && (!os.SameFile(there, own) || own.Size() < l.size), err
}

func (l *lines) grown() error {
	info, err := l.f.Stat()
	if err != nil || info.Size() == l.size {
		return err
	}
	l.dirty = true // whoever wrote it may have been killed before it was durable
	if l.size, err = lastLineEnd(l.f, info.Size()); err != nil || l.size == info.Size() {
		return err
	}
	return l.f.Truncate(l.size)
}

// forget closes the file, so that the next refresh reads it anew.
func (l *lines) forget() error {
	err := l.f.Close()
	*l = lines{path: l.path}
	return err
}

// takeBack cuts off what a failed update appended, to be written again: after a
// sync that failed another one may succeed and have lost it. What stood there
// before the update stays, for it may be acknowledged.
func (l *lines) takeBack() {
	if l.f == nil {
		return
	}
	if l.size > l.base {
		_ = l.f.Truncate(l.base) // a half line that stays is cut off by the next refresh
	}
	_ = l.forget()
}

// chunk is how much is read at once backwards.
const chunk = 64 << 10

// lastLineEnd finds the place after the last line end before a place.
func lastLineEnd(f io.ReaderAt, before int64) (int64, error) {
	b := make([]byte, min(chunk, before))
	for before > 0 {
		from := max(0, before-chunk)
		part := b[:before-from]
		if _, err := f.ReadAt(part, from); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		before = from
	}
	return 0, nil
}

// append writes whole lines at the end.
func (l *lines) append(d disk, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	l.dirty = true
	if _, err := d.writeAt(l.f, b, l.size); err != nil {
		return err
	}
	l.size += int64(len(b))
	return nil
}

// blank overwrites a line with spaces where it stands, so that nothing of it is
// left in the file.
func (l *lines) blank(d disk, p place) error {
	l.dirty = true
	_, err := d.writeAt(l.f, bytes.Repeat([]byte{' '}, p.length), p.at)
	return err
}

// place is where a line stands, without its line end.
type place struct {
	at     int64
	length int
}

// last returns the last line, nil where there is none.
func (l *lines) last() ([]byte, error) {
	if l.size == 0 {
		return nil, nil
	}
	begin, err := lastLineEnd(l.f, l.size-1)
	if err != nil {
		return nil, err
	}
	line := make([]byte, l.size-1-begin)
	_, err = l.f.ReadAt(line, begin)
	return line, err
}

// each gives fn every line from a place on, with its place.
func (l *lines) each(from int64, fn func(line []byte, at int64) error) error {
	return eachLine(l.f, from, l.size, fn)
}

// eachLine is good until fn returns: the next line overwrites it. A half last
// line is left out.
func eachLine(f *os.File, from, to int64, fn func(line []byte, at int64) error) error {
	r := newLineReader(io.NewSectionReader(f, from, to-from), 1<<20)
	for at := from; ; {
		line, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if errors.Is(err, errLong) {
			err = damaged(f.Name(), at, err)
		}
		if err == nil {
			err = fn(line, at)
		}
		if err != nil {
			return err
		}
		at += int64(len(line)) + 1
	}
}

// search finds the place of the first line whose number is n or more. Numbers
// grow from line to line.
func search(f *os.File, size, n int64, number func(line []byte) (int64, error)) (int64, error) {
	low, high := int64(0), size
	for low < high {
		begin, err := lastLineEnd(f, low+(high-low)/2)
		if err != nil {
			return 0, err
		}
		line, err := newLineReader(io.NewSectionReader(f, begin, size-begin), 4<<10).next()
		if errors.Is(err, errLong) {
			err = damaged(f.Name(), begin, err)
		}
		if err != nil {
			return 0, err
		}
		at, err := number(line)
		switch {
		case err != nil:
			return 0, damaged(f.Name(), begin, err)
		case at < n:
			low = begin + int64(len(line)) + 1
		default:
			high = begin
		}
	}
	return low, nil
}

// replace writes a file anew beside the old one and puts it in its place. The
// old one's bytes are overwritten, so that the disk's free space holds nothing of
// them either.
func (l *lines) replace(d disk, fill func(write func(line []byte) error) error) (err error) {
	beside := l.path + ".new"
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := create(beside)
	if err != nil {
		return err
	}
	anew := lines{path: beside, f: f}
	var buffer []byte
	flush := func() error {
		err := anew.append(d, buffer)
		buffer = buffer[:0]
		return err
	}
	err = fill(func(line []byte) error {
		buffer = append(append(buffer, line...), '\n')
		if len(buffer) < 1<<20 {
			return nil
		}
		return flush()
	})
	if err = errors.Join(err, flush()); err == nil {
		err = d.sync(f)
	}
	if err == nil {
		err = os.Rename(beside, l.path)
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(beside))
	}
	old, size := l.f, l.size
	l.f, l.size, l.base, l.dirty = f, anew.size, anew.size, false
	return errors.Join(syncDir(filepath.Dir(l.path)), overwrite(old, size), old.Close())
}

func overwrite(f *os.File, size int64) error {
	zeros := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return unix.Fdatasync(int(f.Fd()))
}

// create makes a file that only its owner can read, whatever the umask.
func create(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

package witness

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// full is a disk on which nothing can be written.
var full = disk{
	writeAt: func(*os.File, []byte, int64) (int, error) { return 0, syscall.ENOSPC },
	sync:    func(*os.File) error { return syscall.ENOSPC },
}

// What was acknowledged stays, however often the disk fails.
func TestUpdatesThatFailOneAfterTheOtherTakeNothingBack(t *testing.T) {
	w := made(t)
	w.add(t, 10)
	w.put(t, request(1))
	for range 3 {
		w.disk = full
		err := w.Update(func(u *Update) error {
			return errors.Join(u.Append(entry(u.Next()), 1), u.Put([]Request{request(2)}))
		})
		if err == nil {
			t.Fatal("a full disk took an update")
		}
	}
	w.disk = realDisk
	w.add(t, 11)
	if got, kept := w.entries(t, 0), w.kept(t); len(got) != 11 || len(kept) != 1 {
		t.Errorf("there are %d entries and %d requests", len(got), len(kept))
	}
}

// A program whose update fails takes nothing from what another one wrote.
func TestAFailingProgramTakesNothingFromAnother(t *testing.T) {
	w := made(t)
	w.add(t, 3)
	other := opened(t, w.dir)
	other.add(t, 10)
	other.put(t, request(1))
	w.disk = full
	for range 2 {
		if err := w.Update(func(u *Update) error { return u.Append(entry(u.Next()), 1) }); err == nil {
			t.Fatal("a full disk took an update")
		}
	}
	if got, kept := other.entries(t, 0), other.kept(t); len(got) != 10 || len(kept) != 1 {
		t.Errorf("there are %d entries and %d requests", len(got), len(kept))
	}
	w.disk = realDisk
	w.add(t, 11)
	other.add(t, 12)
	if got := w.entries(t, 0); len(got) != 12 {
		t.Errorf("there are %d entries", len(got))
	}
}

// A witness that lacks a file is not opened, and keeps the others.
func TestAWitnessThatIsNotOpenedIsLeftAsItIs(t *testing.T) {
	for _, name := range []string{logFile, headsFile, requestsFile, suppressionsFile} {
		w := made(t)
		w.add(t, 10)
		w.put(t, request(1))
		file := filepath.Join(w.dir, name)
		for _, step := range []error{w.Close(), os.Rename(file, file+".away")} {
			if step != nil {
				t.Fatal(step)
			}
		}
		if _, err := Open(w.dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without %s the witness opens: %v", name, err)
		}
		if err := os.Rename(file+".away", file); err != nil {
			t.Fatal(err)
		}
		again := opened(t, w.dir)
		if got, kept := again.entries(t, 0), again.kept(t); len(got) != 10 || len(kept) != 1 {
			t.Errorf("after %s was missing there are %d entries and %d requests", name, len(got), len(kept))
		}
	}
}

package witness

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
)

func made(t *testing.T) *Witness {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "witness")
	if err := Make(dir, func() []byte { return []byte("wrapped") }); err != nil {
		t.Fatal(err)
	}
	return opened(t, dir)
}

func opened(t *testing.T, dir string) *Witness {
	t.Helper()
	w, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func entry(index int64) []byte {
	return fmt.Appendf(nil, `{"actor":"system","index":%d,"kind":"profile.viewed"}`+"\n", index)
}

// add writes entries up to an index.
func (w *Witness) add(t *testing.T, to int64) {
	t.Helper()
	err := w.Update(func(u *Update) error {
		for u.Next() < to {
			if err := u.Append(entry(u.Next()), 1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *Witness) entries(t *testing.T, from int64) (indexes []int64) {
	t.Helper()
	err := w.Entries(from, func(index int64, line []byte) error {
		if !bytes.Equal(append(line, '\n'), entry(index)) {
			return errForm
		}
		indexes = append(indexes, index)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return indexes
}

func request(n int) Request {
	return Request{erasure.NewRequestID(time.UnixMilli(int64(n))), bytes.Repeat([]byte(fmt.Sprint(n, "-")), 100)}
}

func (w *Witness) put(t *testing.T, all ...Request) {
	t.Helper()
	if err := w.Update(func(u *Update) error { return u.Put(all) }); err != nil {
		t.Fatal(err)
	}
}

func (w *Witness) end(t *testing.T, ids ...erasure.RequestID) {
	t.Helper()
	if err := w.Update(func(u *Update) error { u.End(ids); return nil }); err != nil {
		t.Fatal(err)
	}
}

func (w *Witness) kept(t *testing.T) map[erasure.RequestID]string {
	t.Helper()
	all := map[erasure.RequestID]string{}
	if err := w.Requests(func(q Request) error { all[q.ID] = string(q.Sealed); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEntriesAreFoundFromAnyIndex(t *testing.T) {
	w := made(t)
	w.add(t, 1000)
	for _, from := range []int64{0, 1, 499, 998, 999, 1000, 1001} {
		got := w.entries(t, from)
		if int64(len(got)) != max(0, 1000-from) || len(got) > 0 && got[0] != from {
			t.Errorf("from %d on there are %d entries", from, len(got))
		}
	}
}

func TestAHalfLastLineIsCutOff(t *testing.T) {
	w := made(t)
	w.add(t, 3)
	whole, err := os.ReadFile(w.log.path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(entry(2)) {
		if err := os.WriteFile(w.log.path, whole[:len(whole)-1-n], 0o600); err != nil {
			t.Fatal(err)
		}
		again := opened(t, w.dir)
		again.add(t, 3)
		if got := again.entries(t, 0); len(got) != 3 {
			t.Fatalf("after a kill %d bytes before the end there are %d entries", n+1, len(got))
		}
	}
}

// Two programs write to one witness: each goes on from where the other ended.
func TestTwoProgramsWriteInTurns(t *testing.T) {
	one := made(t)
	two := opened(t, one.dir)
	a, b := request(1), request(2)
	for n := int64(1); n < 50; n++ {
		w := one
		if n%3 == 0 {
			w = two
		}
		w.add(t, n)
	}
	one.put(t, a)
	two.put(t, b)
	two.end(t, a.ID)
	one.put(t, Request{b.ID, []byte("another")})
	if got := two.kept(t); len(got) != 1 || got[b.ID] != "another" {
		t.Errorf("%d requests are kept: %v", len(got), got)
	}
	if got := one.entries(t, 0); len(got) != 49 {
		t.Errorf("there are %d entries", len(got))
	}
}

func TestWhatARequestWasLeavesNoByte(t *testing.T) {
	w := made(t)
	var ids []erasure.RequestID
	for n := range 100 {
		q := request(n)
		w.put(t, q)
		ids = append(ids, q.ID)
	}
	w.end(t, ids...)
	b, err := os.ReadFile(w.requests.path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Trim(string(b), " \n") != "" {
		t.Errorf("%.200s is left", strings.TrimSpace(string(b)))
	}
}

func TestAMostlyBlankFileIsWrittenAnewAndTheOldOneOverwritten(t *testing.T) {
	w := made(t)
	var all []Request
	for n := range 5000 {
		all = append(all, request(n))
	}
	w.put(t, all...)
	var ids []erasure.RequestID
	for _, q := range all[:4000] {
		ids = append(ids, q.ID)
	}
	w.end(t, ids...)
	old, err := os.Open(w.requests.path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	before := w.requests.size
	beside := opened(t, w.dir)
	if err := w.Update(func(u *Update) error { u.Compact(); return nil }); err != nil {
		t.Fatal(err)
	}
	if w.requests.size > before/2 || len(w.kept(t)) != 1000 {
		t.Errorf("%d of %d bytes are left, and %d requests", w.requests.size, before, len(w.kept(t)))
	}
	b := make([]byte, before)
	if _, err := old.ReadAt(b, 0); err != nil || len(bytes.Trim(b, "\x00")) > 0 {
		t.Errorf("the old file still holds something, %v", err)
	}
	beside.end(t, all[4000].ID) // another program finds the new file
	w.end(t, all[4001].ID)
	if got := w.kept(t); len(got) != 998 {
		t.Errorf("%d requests are kept", len(got))
	}
}

// A kill in the midst of a removal leaves a line that is blank at one end.
func TestARemovalThatWasBrokenOffIsFinished(t *testing.T) {
	for name, blank := range map[string]func([]byte) []byte{
		"from the left": func(b []byte) []byte { return append(bytes.Repeat([]byte{' '}, 50), b[50:]...) },
		"at the right": func(b []byte) []byte {
			return append(b[:len(b)-51:len(b)-51], append(bytes.Repeat([]byte{' '}, 50), '\n')...)
		},
	} {
		w := made(t)
		w.put(t, request(1))
		b, err := os.ReadFile(w.requests.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(w.requests.path, blank(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := opened(t, w.dir).kept(t); len(got) != 0 {
			t.Errorf("%s: %d requests are kept", name, len(got))
		}
		if b, err = os.ReadFile(w.requests.path); err != nil || strings.Trim(string(b), " \n") != "" {
			t.Errorf("%s: %s is left, %v", name, b, err)
		}
	}
}

func TestADamagedLineIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		line int
		read func(w *Witness) error
	}{
		"a request": {requestsFile, 3, func(w *Witness) error { _, err := Open(w.dir); return err }},
		"an entry": {logFile, 3, func(w *Witness) error {
			return w.Entries(2, func(_ int64, l []byte) error { _, err := entryIndex(l); return err })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := made(t)
			w.add(t, 5)
			w.put(t, request(1), request(2), request(3), request(4))
			path := filepath.Join(w.dir, c.file)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all := bytes.SplitAfter(b, []byte("\n"))
			all[c.line-1][1] ^= 0x20
			if err := os.WriteFile(path, bytes.Join(all, nil), 0o600); err != nil {
				t.Fatal(err)
			}
			var d *Damaged
			if err := c.read(w); !errors.As(err, &d) || d.Line != c.line || d.Path != path {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// Each write and sync of an update fails in turn. What was kept before is kept
// then, and when it is run again all of it is there, once.
func TestAFailingDiskLosesNothingAndWritesNothingTwice(t *testing.T) {
	for _, half := range []bool{false, true} {
		for n := 1; ; n++ {
			w := made(t)
			first, second, changed := request(1), request(2), request(3)
			w.add(t, 10)
			w.put(t, first, changed)
			changed.Sealed = []byte("what is asked for now")
			var left atomic.Int64
			left.Store(int64(n))
			fails := func() bool { return left.Add(-1) == 0 }
			w.disk.writeAt = func(f *os.File, b []byte, at int64) (int, error) {
				if !fails() {
					return f.WriteAt(b, at)
				}
				written := 0
				if half {
					written, _ = f.WriteAt(b[:len(b)/2], at)
				}
				return written, syscall.ENOSPC
			}
			w.disk.sync = func(f *os.File) error {
				if fails() {
					return syscall.EIO
				}
				return nil
			}
			change := func(u *Update) error {
				for u.Next() < 12 {
					if err := u.Append(entry(u.Next()), 1); err != nil {
						return err
					}
				}
				u.End([]erasure.RequestID{first.ID})
				return u.Put([]Request{second, changed})
			}
			err := w.Update(change)
			struck := left.Load() <= 0
			if struck != (err != nil) {
				t.Fatalf("call %d: %v", n, err)
			}
			if got, kept := w.entries(t, 0), w.kept(t); kept[changed.ID] == "" || len(got) < 12 && kept[first.ID] == "" {
				t.Errorf("call %d: after the fault there are %d entries and %v", n, len(got), kept)
			}
			left.Store(0) // the disk works again
			if err := w.Update(change); err != nil {
				t.Fatal(err)
			}
			if got, kept := w.entries(t, 0), w.kept(t); len(got) != 12 || len(kept) != 2 || kept[second.ID] == "" || kept[changed.ID] != string(changed.Sealed) {
				t.Errorf("call %d: there are %d entries and %d requests", n, len(got), len(kept))
			}
			if !struck {
				t.Logf("a fault struck at each of %d calls", n-1)
				break
			}
		}
	}
}

func TestAWitnessIsForItsOwnerAlone(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	w := made(t)
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

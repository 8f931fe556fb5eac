package seal

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// traces finds the bytes of wrapped keys in files. It looks for each eighth of
// a key's nonce, wrapped key and tag, so that a torn copy is found too.
type traces map[uint64]Ref

func (ts traces) add(n int64, r row) {
	for b := r[idSize+1:]; len(b) >= 8; b = b[8:] {
		ts[binary.BigEndian.Uint64(b)] = Ref{n, r.id()}
	}
}

func (ts traces) addKeys(t *testing.T, k *Keyring, keys []Key) {
	t.Helper()
	for _, key := range keys {
		r, err := k.row(t.Context(), key.Ref.Row)
		if err != nil || r == nil {
			t.Fatal("read a row:", err)
		}
		ts.add(key.Ref.Row, *r)
	}
}

// in returns the keys of which b shows anything.
func (ts traces) in(b []byte) map[Ref]bool {
	found := map[Ref]bool{}
	var window uint64
	for i, c := range b {
		window = window<<8 | uint64(c)
		if ref, ok := ts[window]; ok && i >= 7 {
			found[ref] = true
		}
	}
	return found
}

// onDisk returns the keys seen in any file of the directory, or behind any
// descriptor that this process has open, unlinked files included.
func (ts traces) onDisk(t *testing.T, dir string) map[Ref]bool {
	t.Helper()
	found := map[Ref]bool{}
	look := func(b []byte) {
		for ref := range ts.in(b) {
			found[ref] = true
		}
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		look(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range openFiles(t) {
		look(b)
	}
	return found
}

func openFiles(t *testing.T) (contents [][]byte) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		path := "/proc/self/fd/" + fd.Name()
		target, err := os.Readlink(path)
		i, statErr := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(target, "/") || statErr == nil && !i.Mode().IsRegular() {
			continue // closed since, or not a file
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		contents = append(contents, b)
	}
	return contents
}

func testMaster(t testing.TB) Master {
	t.Helper()
	m, err := newMaster(firstVersion, make([]byte, keySize))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// openTest opens the keyring in a directory under a master key of zeros.
func openTest(t testing.TB, dir string) *Keyring {
	t.Helper()
	k, err := OpenKeyring(filepath.Join(dir, "keyring.db"), testMaster(t), [16]byte{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func mustMake(t testing.TB, k *Keyring, n int) []Key {
	t.Helper()
	keys, err := k.Make(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func mustDestroy(t testing.TB, k *Keyring, keys []Key) {
	t.Helper()
	var refs []Ref
	for _, key := range keys {
		refs = append(refs, key.Ref)
	}
	if err := k.Destroy(t.Context(), refs); err != nil {
		t.Fatal(err)
	}
}

func mustTruncate(t testing.TB, k *Keyring) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for busy := true; busy; {
		var err error
		if busy, err = k.Truncate(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// I2: no wrapped key is in any file once nothing was busy.
func TestDestroyedKeysLeaveNoByteBehind(t *testing.T) {
	dir := t.TempDir()
	k := openTest(t, dir)
	gone, kept := traces{}, traces{}
	for i := range 6 {
		keys := mustMake(t, k, 700)
		gone.addKeys(t, k, keys[:600])
		kept.addKeys(t, k, keys[600:])
		if i%2 == 0 {
			mustTruncate(t, k) // some pages are in the file, some in the WAL only
		}
		rollBack(t, k, keys)
		mustDestroy(t, k, keys[:600])
		mustMake(t, k, 1+i)
	}
	mustTruncate(t, k)
	if n := len(gone.onDisk(t, dir)); n != 0 {
		t.Errorf("%d of 3600 destroyed keys are still on the disk", n)
	}
	if n := len(kept.onDisk(t, dir)); n != 600 {
		t.Errorf("%d of 600 live keys are on the disk: the search does not work", n)
	}
}

// I1, I2: the pages that a savepoint may bring back are kept in memory. The
// driver of Efface sets that: in a file, they would show every key.
func TestSavepointKeepsItsJournalInMemory(t *testing.T) {
	k := openTest(t, t.TempDir())
	keys := mustMake(t, k, 3000)
	tx, err := k.write.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("SAVEPOINT one"); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if hit, err := overwrite(tx.Stmt(k.update), key.Ref, destroyedRow(key.Ref.ID)); err != nil || !hit {
			t.Fatal(hit, err)
		}
	}
	noUnlinkedFile(t)
}

// rollBack destroys keys and makes others in a transaction that is undone,
// with savepoints that are.
func rollBack(t *testing.T, k *Keyring, keys []Key) {
	t.Helper()
	conn, err := k.write.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exec := func(query string, args ...any) {
		if _, err := conn.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("BEGIN IMMEDIATE")
	for _, key := range keys[:300] {
		r := destroyedRow(key.Ref.ID)
		exec("SAVEPOINT one")
		exec(updateKey, r[:], key.Ref.Row, key.Ref.ID[:])
		if key.Ref.Row%2 == 0 {
			exec("ROLLBACK TO one")
		}
		exec("RELEASE one")
	}
	for range 300 {
		r, _ := newRow(k.master, k.storeID)
		exec(insertKey, r[:])
	}
	exec("ROLLBACK")
}

// noUnlinkedFile fails where SQLite keeps a journal in a file without a name.
func noUnlinkedFile(t *testing.T) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && strings.HasSuffix(target, " (deleted)") {
			t.Errorf("%s is open", target)
		}
	}
}

// I2, I7: while anyone still reads the old bytes, Truncate says so.
func TestTruncateIsBusyWhileAReaderIsOpen(t *testing.T) {
	dir := t.TempDir()
	k := openTest(t, dir)
	keys := mustMake(t, k, 600)
	mustTruncate(t, k)
	gone := traces{}
	gone.addKeys(t, k, keys)

	release := openReader(t, k)
	mustDestroy(t, k, keys)
	start := time.Now()
	if busy, err := k.Truncate(t.Context()); err != nil || !busy {
		t.Errorf("Truncate = %v, %v with a reader open", busy, err)
	}
	if took := time.Since(start); took > busyTimeout/2 {
		t.Errorf("Truncate held everybody up for %v", took)
	}
	if len(gone.onDisk(t, dir)) == 0 {
		t.Error("nothing was on the disk: the reader was not in the way")
	}
	mustMake(t, k, 1) // writers go on
	release()
	mustTruncate(t, k)
	if n := len(gone.onDisk(t, dir)); n != 0 {
		t.Errorf("%d destroyed keys are still on the disk", n)
	}
}

// openReader holds a read transaction open, as another program may.
func openReader(t *testing.T, k *Keyring) (release func()) {
	t.Helper()
	db, err := OpenPool(k.path, DSNOptions{QueryOnly: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"BEGIN DEFERRED", "SELECT count(*) FROM keys"} {
		rows, err := db.Query(q)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSearchOfFilesFindsUnlinkedOnes(t *testing.T) {
	k := openTest(t, t.TempDir())
	keys := mustMake(t, k, 1)
	ts := traces{}
	ts.addKeys(t, k, keys)
	r, err := k.row(t.Context(), keys[0].Ref.Row)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(t.TempDir(), "unlinked")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append([]byte("xyz"), r[idSize+20:idSize+50]...)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	mustDestroy(t, k, keys)
	mustTruncate(t, k)
	if len(ts.onDisk(t, t.TempDir())) != 1 {
		t.Error("a torn copy in an unlinked file was not found")
	}
}

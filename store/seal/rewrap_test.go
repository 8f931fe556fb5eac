package seal

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// probes are values sealed by keys before their wrapping changes.
type probes map[Ref][]byte

func (ps probes) add(keys []Key) {
	for _, key := range keys {
		ps[key.Ref] = key.Seal(key.Ref.ID[:], AD{Table: "probe"})
	}
}

// mustOpen opens each probe by the key that the keyring gives.
func (ps probes) mustOpen(t *testing.T, k *Keyring) {
	t.Helper()
	for ref, sealed := range ps {
		key, err := k.Key(t.Context(), ref)
		if err != nil {
			t.Fatalf("row %d: %v", ref.Row, err)
		}
		if b, err := key.Open(sealed, AD{Table: "probe"}); err != nil || [idSize]byte(b) != ref.ID {
			t.Fatalf("row %d holds another key: %v", ref.Row, err)
		}
	}
}

// nextOf makes the master key that comes after m.
func nextOf(t testing.TB, m Master, raw byte) Master {
	t.Helper()
	key := make([]byte, keySize)
	key[0] = raw
	next, err := newMaster(nextVersion(m.Version()), key)
	if err != nil {
		t.Fatal(err)
	}
	next.secret.former = m.secret
	return next
}

func alone(m Master) Master {
	return Master{&masterSecret{aead: m.secret.aead, version: m.secret.version}}
}

// After a rotation no byte that the former master key wrapped is in any file,
// every key opens by the new one alone, and destroyed ones stay destroyed,
// whatever pages were in the WAL, undone or read meanwhile.
func TestKeysWrappedAnewLeaveNoOldByteBehind(t *testing.T) {
	dir := t.TempDir()
	k := openTest(t, dir)
	old, kept := traces{}, probes{}
	var destroyed []Key
	for i := range 4 {
		keys := mustMake(t, k, 700)
		old.addKeys(t, k, keys)
		if i%2 == 0 {
			mustTruncate(t, k)
		}
		rollBack(t, k, keys)
		mustDestroy(t, k, keys[:200])
		destroyed = append(destroyed, keys[:200]...)
		kept.add(keys[200:])
	}
	m := nextOf(t, testMaster(t), 1)
	release := openReader(t, k)
	last := int64(0)
	if err := k.Rewrap(t.Context(), m, func(row int64) { last = row }); err != nil || last != 2800 {
		t.Fatalf("Rewrap = %v, after row %d", err, last)
	}
	if busy, err := k.Truncate(t.Context()); err != nil || !busy || len(old.onDisk(t, dir)) == 0 {
		t.Errorf("with a reader open Truncate = %v, %v, and no old byte is left: the search does not work", busy, err)
	}
	release()
	mustTruncate(t, k)
	if n := len(old.onDisk(t, dir)); n != 0 {
		t.Errorf("%d keys are still there as the former master key wrapped them", n)
	}
	if n, err := k.WrappedBefore(t.Context(), alone(m)); err != nil || n != 0 {
		t.Errorf("WrappedBefore = %d, %v", n, err)
	}
	k.master = alone(m)
	kept.mustOpen(t, k)
	now := traces{}
	for ref := range kept {
		now.addKeys(t, k, []Key{{Ref: ref}})
	}
	if n := len(now.onDisk(t, dir)); n != len(kept) {
		t.Errorf("of %d keys %d are on the disk: the search does not work", len(kept), n)
	}
	for _, key := range destroyed {
		if _, err := k.Key(t.Context(), key.Ref); !errors.Is(err, ErrDestroyed) {
			t.Fatalf("a destroyed key gives %v", err)
		}
	}
	k.master = testMaster(t)
	if err := k.Check(t.Context()); !errors.Is(err, ErrMaster) {
		t.Errorf("under the former master key Check = %v", err)
	}
}

func TestTheVersionAfter255IsTheFirst(t *testing.T) {
	k := openTest(t, t.TempDir())
	kept := probes{}
	kept.add(mustMake(t, k, 3))
	m := testMaster(t)
	for i := range 300 {
		next := nextOf(t, m, byte(i)+1)
		if v := next.Version(); v == 0 || v == m.Version() {
			t.Fatalf("version %d comes after %d", v, m.Version())
		}
		if err := k.Rewrap(t.Context(), next, func(int64) {}); err != nil {
			t.Fatal(err)
		}
		m = alone(next)
		k.master = m
		kept.mustOpen(t, k)
	}
	if m.Version() != 300-255+1 {
		t.Errorf("after 300 changes the version is %d", m.Version())
	}
}

// Nothing is written where a key does not open.
func TestAKeyThatDoesNotOpenIsFoundBeforeAnythingIsWrapped(t *testing.T) {
	k := openTest(t, t.TempDir())
	keys := mustMake(t, k, 3)
	bad := destroyedRow(keys[1].Ref.ID)
	bad[idSize] = firstVersion
	if _, err := k.write.Exec(`UPDATE keys SET k = $1 WHERE n = $2`, bad[:], keys[1].Ref.Row); err != nil {
		t.Fatal(err)
	}
	if _, err := k.WrappedBefore(t.Context(), testMaster(t)); !errors.Is(err, ErrMaster) {
		t.Errorf("WrappedBefore = %v", err)
	}
}

// A kill between any two steps of the files leaves a master key that opens
// everything, and what is left is done by doing it again.
func TestTheMasterKeysFileIsReplacedAfterAnyKill(t *testing.T) {
	steps := func(f masterFiles) []func() error {
		return []func() error{
			func() error { return os.WriteFile(f.part, []byte("efface-master-key-2:AA"), 0o600) }, // cut short
			func() error { return f.makeNext(2) }, f.keepPast, f.takePlace,
			func() error { return overwriteFile(f.past, 65) }, f.removePast,
		}
	}
	for n := range len(steps(masterFiles{})) + 1 {
		real := filepath.Join(t.TempDir(), "master.key")
		if _, err := CreateMaster(real); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "link.key")
		if err := os.Symlink(real, path); err != nil {
			t.Fatal(err)
		}
		first, err := os.Open(real) // the former key's own blocks
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close()
		f, err := masterFilesOf(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range steps(f)[:n] {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		m, err := LoadMaster(path)
		if err != nil || m.Version() != byte(min(2, 1+n/2)) || (m.secret.former != nil) != (n == 2 || n == 3) {
			t.Errorf("after %d steps LoadMaster = version %d, %v", n, m.Version(), err)
		}
		if n < 4 {
			if _, err := NextMaster(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := ReplaceMaster(path); err != nil {
			t.Fatal(err)
		}
		if m, err := LoadMaster(path); err != nil || m.Version() != 2 || m.secret.former != nil {
			t.Errorf("after %d steps and all of them again LoadMaster = version %d, %v", n, m.Version(), err)
		}
		if b := make([]byte, 100); true {
			if read, _ := first.ReadAt(b, 0); read == 0 || string(b[:read]) != string(make([]byte, read)) {
				t.Errorf("after %d steps the former key is not overwritten", n)
			}
		}
		if files, err := os.ReadDir(filepath.Dir(real)); err != nil || len(files) != 1 {
			t.Errorf("after %d steps there are %v, %v", n, files, err)
		}
	}
}

func TestAMasterKeyIsHeldByManyOrAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	if _, err := CreateMaster(path); err != nil {
		t.Fatal(err)
	}
	hold := func(alone, may bool) *os.File {
		t.Helper()
		f, err := HoldMaster(path, alone)
		if (err == nil) != may {
			t.Fatalf("HoldMaster = %v", err)
		}
		return f
	}
	one, two := hold(false, true), hold(false, true)
	hold(true, false)
	one.Close()
	hold(true, false)
	two.Close()
	three := hold(true, true)
	hold(false, false)
	hold(true, false)
	if _, err := NextMaster(path); err != nil {
		t.Fatal(err)
	}
	if err := ReplaceMaster(path); err != nil {
		t.Fatal(err)
	}
	hold(false, true).Close() // the new one's file
	three.Close()
	hold(true, true).Close()
}

func BenchmarkRewrap(b *testing.B) {
	k := openTest(b, b.TempDir())
	for range 40 {
		mustMake(b, k, 5000)
	}
	m := testMaster(b)
	for i := 0; b.Loop(); i++ {
		next := nextOf(b, m, byte(i)+1)
		if err := k.Rewrap(b.Context(), next, func(int64) {}); err != nil {
			b.Fatal(err)
		}
		m = alone(next)
	}
	b.ReportMetric(200_000*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
}

// The past key's name may still be another one of the key in force, where a
// kill came before the next key took its place.
func TestTheKeyInForceIsNeverOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	if _, err := CreateMaster(path); err != nil {
		t.Fatal(err)
	}
	f, err := masterFilesOf(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.makeNext(2), f.keepPast(), f.removePast()); err != nil {
		t.Fatal(err)
	}
	if m, err := LoadMaster(path); err != nil || m.secret.former == nil {
		t.Errorf("LoadMaster = %v", err)
	}
	if next, past, err := MasterChanging(path); err != nil || !next || past {
		t.Errorf("MasterChanging = %v, %v, %v", next, past, err)
	}
}

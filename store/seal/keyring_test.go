package seal_test

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/efface/efface/store/seal"
)

var storeID = [16]byte{1, 2, 3}

func newMaster(t testing.TB) seal.Master {
	t.Helper()
	m, err := seal.CreateMaster(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func openAt(t testing.TB, path string, m seal.Master) *seal.Keyring {
	t.Helper()
	k, err := seal.OpenKeyring(path, m, storeID)
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

func newKeyring(t testing.TB) *seal.Keyring {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "keyring.db"), newMaster(t))
}

func makeKeys(t testing.TB, k *seal.Keyring, n int) []seal.Key {
	t.Helper()
	keys, err := k.Make(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func refsOf(keys []seal.Key) []seal.Ref {
	refs := make([]seal.Ref, len(keys))
	for i, k := range keys {
		refs[i] = k.Ref
	}
	return refs
}

// truncated truncates until nothing is busy, as the runner does.
func truncated(t testing.TB, k *seal.Keyring) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		busy, err := k.Truncate(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !busy {
			return
		}
	}
}

func TestKeySealsAcrossAReopen(t *testing.T) {
	m, path := newMaster(t), filepath.Join(t.TempDir(), "keyring.db")
	first, err := seal.OpenKeyring(path, m, storeID)
	if err != nil {
		t.Fatal(err)
	}
	keys := makeKeys(t, first, 3)
	place := seal.AD{Table: "traits", Column: "sealed", N: 7}
	sealed := keys[1].Seal([]byte("ann@example.com"), place)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	second := openAt(t, path, m)
	key, err := second.Key(t.Context(), keys[1].Ref)
	if err != nil {
		t.Fatal(err)
	}
	if key.Ref != keys[1].Ref {
		t.Errorf("Ref = %v, want %v", key.Ref, keys[1].Ref)
	}
	if got, err := key.Open(sealed, place); err != nil || string(got) != "ann@example.com" {
		t.Errorf("Open = %q, %v", got, err)
	}
}

func TestDestroyedDiffersFromUnknown(t *testing.T) {
	k := newKeyring(t)
	keys := makeKeys(t, k, 2)
	gone := keys[0].Ref
	for range 2 { // a repeat changes nothing
		if err := k.Destroy(t.Context(), []seal.Ref{gone}); err != nil {
			t.Fatal(err)
		}
	}
	var never seal.Ref
	rand.Read(never.ID[:])
	never.Row = keys[1].Ref.Row
	for _, c := range []struct {
		name string
		ref  seal.Ref
		want error
	}{
		{"destroyed", gone, seal.ErrDestroyed},
		{"destroyed, at another row", seal.Ref{Row: 99, ID: gone.ID}, seal.ErrDestroyed},
		{"live", keys[1].Ref, nil},
		{"live, at no row", seal.Ref{ID: keys[1].Ref.ID}, nil},
		{"live, at the destroyed one's row", seal.Ref{Row: gone.Row, ID: keys[1].Ref.ID}, nil},
		{"never made", never, seal.ErrUnknown},
	} {
		if _, err := k.Key(t.Context(), c.ref); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestDestroyGoesByIDAndNeverByRowAlone(t *testing.T) {
	k := newKeyring(t)
	keys := makeKeys(t, k, 1201)
	strayed := seal.Ref{Row: keys[0].Ref.Row, ID: keys[1200].Ref.ID}
	var never seal.Ref
	rand.Read(never.ID[:])
	never.Row = keys[1].Ref.Row

	err := k.Destroy(t.Context(), []seal.Ref{never, strayed, keys[2].Ref})
	var unknown *seal.UnknownKeys
	if !errors.As(err, &unknown) || !errors.Is(err, seal.ErrUnknown) {
		t.Fatalf("Destroy = %v, want UnknownKeys", err)
	}
	if len(unknown.Refs) != 1 || unknown.Refs[0] != never {
		t.Errorf("unknown = %v", unknown.Refs)
	}
	for i, want := range map[int]error{0: nil, 1: nil, 2: seal.ErrDestroyed, 1200: seal.ErrDestroyed} {
		if _, err := k.Key(t.Context(), keys[i].Ref); !errors.Is(err, want) {
			t.Errorf("key %d: %v, want %v", i, err, want)
		}
	}
}

func TestWalkSeesEveryKeyOnce(t *testing.T) {
	k := newKeyring(t)
	want := refsOf(makeKeys(t, k, 1700))
	if err := k.Destroy(t.Context(), want[:501]); err != nil {
		t.Fatal(err)
	}
	var got []seal.Ref
	var gone int
	for after := int64(0); ; {
		refs, destroyed, err := k.Keys(t.Context(), after, 300)
		if err != nil {
			t.Fatal(err)
		}
		if len(refs) == 0 {
			break
		}
		for i, d := range destroyed {
			if d != (len(got)+i < 501) {
				t.Errorf("key %d: destroyed = %v", len(got)+i, d)
			}
			if d {
				gone++
			}
		}
		got, after = append(got, refs...), refs[len(refs)-1].Row
	}
	if len(got) != len(want) || got[0] != want[0] || got[1699] != want[1699] || gone != 501 {
		t.Errorf("walked %d keys, %d destroyed", len(got), gone)
	}
	live, destroyed, err := k.Count(t.Context())
	if err != nil || live != 1199 || destroyed != 501 {
		t.Errorf("Count = %d, %d, %v", live, destroyed, err)
	}
	if n, err := k.MaxRow(t.Context()); err != nil || n != want[1699].Row {
		t.Errorf("MaxRow = %d, %v", n, err)
	}
}

func TestEmptyKeyringHasNoRow(t *testing.T) {
	k := newKeyring(t)
	if n, err := k.MaxRow(t.Context()); err != nil || n != 0 {
		t.Errorf("MaxRow = %d, %v", n, err)
	}
	if refs, _, err := k.Keys(t.Context(), 0, 10); err != nil || len(refs) != 0 {
		t.Errorf("Keys = %v, %v", refs, err)
	}
	if err := k.Destroy(t.Context(), nil); err != nil {
		t.Error(err)
	}
	truncated(t, k)
}

func TestKeyringIsRefusedToAnotherMasterOrStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring.db")
	m := newMaster(t)
	keys := makeKeys(t, openAt(t, path, m), 1)
	if _, err := openAt(t, path, newMaster(t)).Key(t.Context(), keys[0].Ref); !errors.Is(err, seal.ErrMaster) {
		t.Errorf("another master: %v", err)
	}
	other, err := seal.OpenKeyring(path, m, [16]byte{9})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Key(t.Context(), keys[0].Ref); !errors.Is(err, seal.ErrMaster) {
		t.Errorf("another store: %v", err)
	}
}

package seal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A key that is destroyed while the keyring is copied, from a page that was
// copied before, is destroyed in the copy too, and leaves no byte there.
func TestWhatIsDestroyedDuringACopyIsDestroyedInIt(t *testing.T) {
	dir := t.TempDir()
	k := openTest(t, dir)
	keys := mustMake(t, k, 40_000)
	traces := traces{}
	traces.addKeys(t, k, keys)
	for name, steps := range map[string]int{"once": 1, "all the time": 1 << 30} {
		path := filepath.Join(dir, "copy of "+name)
		destroyed := map[Ref]bool{}
		next := 0
		err := k.copyTo(t.Context(), path, func() {
			if next < steps {
				mustDestroy(t, k, keys[next:next+1])
				mustTruncate(t, k)
				destroyed[keys[next].Ref] = true
				next++
			}
		})
		if err != nil || next == 0 {
			t.Fatalf("copying with %d destructions: %v", next, err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for ref := range traces.in(b) {
			if destroyed[ref] {
				t.Errorf("%s: key %d was destroyed during the copy and is in it", name, ref.Row)
			}
		}
		if in := len(traces.in(b)); in != len(keys)-next {
			t.Errorf("%s: the copy has %d keys and not %d", name, in, len(keys)-next)
		}
		keys = keys[next:]
		left, err := OpenKeyring(path, k.master, k.storeID)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys[:10] {
			if _, err := left.Key(t.Context(), key.Ref); err != nil {
				t.Errorf("%s: a key of the copy: %v", name, err)
			}
		}
		if err := left.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestABrokenOffCopyLeavesNoPart(t *testing.T) {
	dir := t.TempDir()
	k := openTest(t, dir)
	mustMake(t, k, 40_000)
	ctx, stop := context.WithCancel(t.Context())
	path := filepath.Join(dir, "copy")
	if err := k.copyTo(ctx, path, stop); !errors.Is(err, context.Canceled) {
		t.Fatalf("the copy ends with %v", err)
	}
	if parts, err := filepath.Glob(path + "*"); err != nil || len(parts) > 0 {
		t.Errorf("%v is left, %v", parts, err)
	}
}

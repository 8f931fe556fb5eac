package seal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/efface/efface/store/erasure"
)

// A copy of the key in force that somebody keeps beside it is no remains of a
// change: it is neither overwritten nor removed.
func TestACopyOfTheMasterKeyBesideItIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	if _, err := CreateMaster(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".old", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ReplaceMaster(path); erasure.CodeOf(err) != erasure.CodeConflict {
		t.Errorf("a change goes over the copy: %v", err)
	}
	if kept, err := os.ReadFile(path + ".old"); err != nil || string(kept) != string(text) {
		t.Errorf("the copy is not what it was: %v", err)
	}
}

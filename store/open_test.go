package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

func TestAStoreWhoseKeyringIsGoneIsNotOpened(t *testing.T) {
	o := store.Options{Dir: filepath.Join(t.TempDir(), "data")}
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	keyring := filepath.Join(o.Dir, "keyring.db")
	if err := os.Remove(keyring); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), o); erasure.CodeOf(err) != erasure.CodeInvalid {
		t.Errorf("opening gives %v, not a sentence on the missing keyring", err)
	}
	if _, err := os.Stat(keyring); err == nil {
		t.Error("a new keyring was made beside the old store")
	}
}

func TestAKeyringIsOneStoresAlone(t *testing.T) {
	first := store.Options{Dir: filepath.Join(t.TempDir(), "first")}
	second := store.Options{Dir: filepath.Join(t.TempDir(), "second")}
	for _, o := range []store.Options{first, second} {
		db, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	empty := store.Options{Dir: filepath.Join(t.TempDir(), "empty")}
	for _, o := range []store.Options{second, empty} {
		o.Keyring, o.MasterKey = filepath.Join(first.Dir, "keyring.db"), filepath.Join(first.Dir, "master.key")
		if _, err := store.Open(t.Context(), o); erasure.CodeOf(err) == "" {
			t.Errorf("a store in %s opens with the keyring of another: %v", o.Dir, err)
		}
	}
	if _, err := os.Stat(filepath.Join(empty.Dir, "efface.db")); err == nil {
		t.Error("a new store was made beside the keyring of another")
	}
}

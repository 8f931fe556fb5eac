package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/storetest"
)

func TestIdempotencyKeysAndCallsAreKeptAsDigestsOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	db := storetest.Open(t, func(o *store.Options) { o.Dir = dir })
	storetest.Identify(t, db, "crm", "email", "ann@example.com")
	once := store.Once{Key: "marker-key@example.com", Call: []byte("marker-call@example.com")}
	if _, _, err := db.RequestErasureOnce(t.Context(), storetest.AskFor("ann@example.com", storetest.LiveKey(t, db)), once); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	kept, err := filepath.Glob(filepath.Join(dir, "witness", "*"))
	if err != nil || len(kept) == 0 {
		t.Fatalf("%d files of the witness, error %v", len(kept), err)
	}
	for _, f := range append(files, kept...) {
		if filepath.Base(f) == "witness" {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("marker-")) {
			t.Errorf("%s holds what the client sent", filepath.Base(f))
		}
	}
}

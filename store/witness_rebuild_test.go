package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// The start of a new witness may be killed at any instant, and is logged all the
// same once the store has a witness again.
func TestANewWitnessIsLoggedHoweverItsStartEnded(t *testing.T) {
	d := openOnDisk(t)
	asks(t, d, "one@example.com")
	dir := filepath.Join(d.dir, "witness")
	copied := filepath.Join(t.TempDir(), "witness")
	must(t, os.CopyFS(copied, os.DirFS(dir)))
	inTheWay := filepath.Join(dir, "key.new")
	must(t, os.MkdirAll(filepath.Join(inTheWay, "full"), 0o700))
	if _, err := store.Open(t.Context(), store.Options{Dir: d.dir, Clock: d.clock, NewWitness: true}); err == nil {
		t.Fatal("the new witness is made")
	}
	if _, err := store.Open(t.Context(), store.Options{Dir: d.dir, Clock: d.clock}); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("without a witness the store opens: %v", err)
	}
	must(t, os.RemoveAll(dir))
	must(t, os.CopyFS(dir, os.DirFS(copied)))
	d.again(t)
	d.again(t)
	storetest.CheckWitness(t, d.dir)
	logged := 0
	for _, e := range storetest.CheckLog(t, d.dir) {
		if e.Kind == erasure.WitnessRebuilt {
			logged++
		}
	}
	if logged != 1 {
		t.Errorf("%d entries tell of a new witness", logged)
	}
}

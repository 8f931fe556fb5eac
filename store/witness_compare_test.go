package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// A witness that doesn't fit any more is a state of the store until it does.
func TestAWitnessThatDoesNotFitIsTold(t *testing.T) {
	d := openOnDisk(t)
	for range 3 {
		must(t, d.LogExport(t.Context(), erasure.Terminal))
	}
	must(t, second(d.Checkpoint(t.Context())))
	d = d.again(t)
	if w := d.Status().Witness; !w.Compared.IsZero() || w.Misfit != "" || !d.CompareDue() {
		t.Errorf("after the start its state is %+v", w)
	}
	must(t, d.CompareWitness(t.Context()))
	if w := d.Status().Witness; w.Compared.IsZero() || w.Misfit != "" || d.CompareDue() {
		t.Errorf("after a comparison its state is %+v", w)
	}
	path := filepath.Join(d.dir, "witness", "log.jsonl")
	good, err := os.ReadFile(path)
	must(t, err)
	bad := bytes.Clone(good)
	bad[3] = 'X'
	must(t, os.WriteFile(path, bad, 0o600))
	for _, compare := range []func() error{
		func() error { _, err := d.Sweep(t.Context(), store.SweepOptions{}); return err },
		func() error { return d.CompareWitness(t.Context()) },
	} {
		if err := compare(); err == nil {
			t.Error("what does not fit is passed over")
		}
		if w := d.Status().Witness; !strings.Contains(w.Misfit, "Line 1 of "+path) || !d.CompareDue() {
			t.Errorf("its state is %+v", w)
		}
		must(t, os.WriteFile(path, good, 0o600))
		must(t, d.CompareWitness(t.Context()))
		if w := d.Status().Witness; w.Misfit != "" {
			t.Errorf("mended, its state is %+v", w)
		}
		must(t, os.WriteFile(path, bad, 0o600))
	}
}

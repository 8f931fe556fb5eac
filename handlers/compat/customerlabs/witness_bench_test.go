package customerlabs_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// BenchmarkWitness measures what the witness adds to an intake over HTTP, with a
// commit for each and with shared ones: its work alone, in memory, and with the
// syncs of a disk. It reports the medians, as parts of the time without it.
func BenchmarkWitness(b *testing.B) {
	in := &intake{dir: filepath.Join(b.TempDir(), "data"), people: storetest.Scale(b, 1_000_000)}
	db := in.open(b, 0)
	storetest.People(b, db, in.people)
	var err error
	in.key, _, err = db.CreateKey(b.Context(), erasure.System, store.NewKey{Name: "bench", Scopes: []erasure.Scope{erasure.ScopeCustomerLabs}})
	if err = errors.Join(err, db.Close()); err != nil {
		b.Fatal(err)
	}
	memory, err := os.MkdirTemp("/dev/shm", "witness")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(memory)
	unix.Sync()
	added := map[string][]float64{}
	for b.Loop() {
		for name, commitLimit := range map[string]int{"own": 1, "shared": 0} {
			in.witness, in.noWitness = "", true
			none := in.perSecond(b, commitLimit)
			in.witness, in.noWitness = memory, false
			work := in.perSecond(b, commitLimit)
			in.witness = filepath.Join(in.dir, "witness")
			synced := in.perSecond(b, commitLimit)
			added[name+"-none/s"] = append(added[name+"-none/s"], none)
			added[name+"-work"] = append(added[name+"-work"], none/work-1)
			added[name+"-synced"] = append(added[name+"-synced"], none/synced-1)
		}
	}
	for name, all := range added {
		b.ReportMetric(storetest.Median(all), name)
	}
}

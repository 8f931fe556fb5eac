package main

import (
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// BenchmarkImport measures lines of NDJSON about random ones of half of
// 1,000,000 people, told by the source that told of them before, and by turns
// with it the same rows of the other half by SQL alone. It reports the medians.
func BenchmarkImport(b *testing.B) {
	people := storetest.Scale(b, 1_000_000)
	lines := people / 20
	dir := filepath.Join(b.TempDir(), "data")
	db, err := store.Open(b.Context(), store.Options{Dir: dir})
	if err == nil {
		_, err = db.FixRegion(b.Context(), "DE")
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	storetest.People(b, db, people)
	random := rand.New(rand.NewPCG(1, 2))
	var took, bare, ratio []float64
	for b.Loop() {
		b.StopTimer()
		var file strings.Builder
		for i := range lines {
			file.WriteString(storetest.Event(random, i, people/2) + "\n")
		}
		unix.Sync()
		b.StartTimer()
		calls, err := ingest.NDJSON(strings.NewReader(file.String()), ingest.NDJSONOptions{Source: "people"})
		if err != nil {
			b.Fatal(err)
		}
		im := importer{db: db, stderr: io.Discard, progress: newProgress(io.Discard, 0, nil, "lines")}
		s, err := im.run(b.Context(), calls)
		b.StopTimer()
		if err != nil || s.added != lines {
			b.Fatal(s, err)
		}
		unix.Sync()
		alone := storetest.Bare(b, dir, people, lines)
		took = append(took, float64(lines)/s.took.Seconds())
		bare = append(bare, float64(lines)/alone.Seconds())
		ratio = append(ratio, alone.Seconds()/s.took.Seconds())
		b.StartTimer()
	}
	b.ReportMetric(storetest.Median(took), "lines/s")
	b.ReportMetric(storetest.Median(bare), "bare-lines/s")
	b.ReportMetric(storetest.Median(ratio), "of-bare")
}

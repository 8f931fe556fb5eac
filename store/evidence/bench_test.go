package evidence_test

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/storetest"
)

// BenchmarkVerifyLog verifies an exported log of 1,000,000 entries of
// erasures, made beforehand, and reports how long it takes.
func BenchmarkVerifyLog(b *testing.B) {
	entries := storetest.Scale(b, 1_000_000)
	file, key := madeLog(b, entries)
	v, err := evidence.ParseVerifier(key)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := evidence.VerifyLog(bytes.NewReader(file), v); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(entries)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// madeLog makes a log as it is exported.
func madeLog(b *testing.B, entries int) (file []byte, key string) {
	b.Helper()
	secret, err := evidence.NewKey(uuid.New())
	if err != nil {
		b.Fatal(err)
	}
	signer, err := evidence.NewSigner(secret)
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (hashes []tlog.Hash, err error) {
		for _, i := range indexes {
			hashes = append(hashes, stored[i])
		}
		return hashes, nil
	})
	for n := range int64(entries) {
		id := erasure.RequestID(uuid.New())
		e := erasure.Entry{Index: n, Time: time.UnixMilli(1_770_000_000_000 + n), Kind: erasure.KeysDestroyed, Request: &id, From: erasure.InProgress,
			To: erasure.InProgress, Origin: erasure.June, Reference: "T-" + strconv.FormatInt(n, 10), Actor: erasure.System,
			Counts: &erasure.Counts{Identifiers: 5, Keys: 2, Records: 20}, Keys: [][16]byte{uuid.New(), uuid.New()}}
		line, err := e.Canonical()
		if err != nil {
			b.Fatal(err)
		}
		out.Write(line)
		out.WriteByte('\n')
		hashes, err := tlog.StoredHashes(n, line, reader)
		if err != nil {
			b.Fatal(err)
		}
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(int64(entries), reader)
	if err != nil {
		b.Fatal(err)
	}
	signed, err := evidence.Checkpoint{Origin: signer.Origin(), Size: int64(entries), Root: root}.Sign(signer)
	if err != nil {
		b.Fatal(err)
	}
	out.Write(evidence.CheckpointLine(signed))
	return out.Bytes(), signer.VerifierKey()
}

package store_test

import (
	"database/sql"
	"encoding/binary"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/efface/efface/store/storetest"
)

// BenchmarkReceipt measures a receipt of somebody who was erased before
// 10,000,000 further entries were logged, which are hashes alone.
func BenchmarkReceipt(b *testing.B) {
	d := openOnDisk(b)
	id := d.erased(b, "u1")
	lengthenLog(b, d.dir, int64(storetest.Scale(b, 10_000_000)))
	if _, err := d.Checkpoint(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := d.Receipt(b.Context(), id); err != nil {
			b.Fatal(err)
		}
	}
}

// lengthenLog writes so many further hashes and the tree over them.
func lengthenLog(b *testing.B, dir string, entries int64) {
	b.Helper()
	raw := storetest.Raw(b, dir)
	defer raw.Close()
	tx, err := raw.Begin()
	must(b, err)
	leaf, err := tx.Prepare(`INSERT INTO log_hashes (idx, hash) VALUES ($1, $2)`)
	must(b, err)
	node, err := tx.Prepare(`INSERT INTO log_nodes (n, hash) VALUES ($1, $2)`)
	must(b, err)
	edge := rightEdge(b, tx)
	var first int64
	must(b, tx.QueryRow(`SELECT COUNT(*) FROM log_hashes`).Scan(&first))
	for n := first; n < first+entries; n++ {
		hashes, err := tlog.StoredHashesForRecordHash(n, tlog.RecordHash(binary.BigEndian.AppendUint64(nil, uint64(n))), edge)
		must(b, err)
		must(b, second(leaf.Exec(n, hashes[0][:])))
		index := tlog.StoredHashIndex(0, n)
		for above, h := range hashes {
			edge[index+int64(above)] = h
			if above > 0 {
				must(b, second(node.Exec(index+int64(above), h[:])))
			}
		}
		if n%(1<<16) == 0 {
			edge.forget(n + 1)
		}
	}
	must(b, tx.Commit())
}

// edge holds the hashes that a tree still grows from, by their numbers.
type edge map[int64]tlog.Hash

// ReadHashes implements tlog.HashReader.
func (e edge) ReadHashes(indexes []int64) (hashes []tlog.Hash, err error) {
	for _, i := range indexes {
		hashes = append(hashes, e[i])
	}
	return hashes, nil
}

// forget drops what a tree of so many entries does not grow from any more.
func (e edge) forget(size int64) {
	for i := range e {
		if level, n := tlog.SplitStoredHashIndex(i); ((n|1)+1)<<level <= size {
			delete(e, i)
		}
	}
}

func rightEdge(b *testing.B, tx *sql.Tx) edge {
	b.Helper()
	e := edge{}
	for _, table := range []string{`SELECT idx, hash, 1 FROM log_hashes`, `SELECT n, hash, 0 FROM log_nodes`} {
		rows, err := tx.Query(table)
		must(b, err)
		for rows.Next() {
			var n int64
			var hash []byte
			var leaf bool
			must(b, rows.Scan(&n, &hash, &leaf))
			if leaf {
				n = tlog.StoredHashIndex(0, n)
			}
			e[n] = tlog.Hash(hash)
		}
		must(b, rows.Err())
	}
	return e
}

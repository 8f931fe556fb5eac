package storetest

import (
	"database/sql"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/efface/efface/store/evidence"
)

// checkTree grows the log's tree anew from its leaves and compares it with the
// nodes that are stored, and with what each checkpoint signs.
func checkTree(t testing.TB, tx *sql.Tx) {
	t.Helper()
	var grown []tlog.Hash // all hashes, the leaves included
	reader := tlog.HashReaderFunc(func(indexes []int64) (hashes []tlog.Hash, err error) {
		for _, i := range indexes {
			hashes = append(hashes, grown[i])
		}
		return hashes, nil
	})
	leaves := hashesOf(t, tx, `SELECT idx, hash FROM log_hashes`)
	nodes := hashesOf(t, tx, `SELECT n, hash FROM log_nodes`)
	for n := range int64(len(leaves)) {
		hashes, err := tlog.StoredHashesForRecordHash(n, leaves[n], reader)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range hashes[1:] {
			if index := int64(len(grown) + 1 + i); nodes[index] != h {
				t.Errorf("node %d of the log's tree is %v and not %v", index, nodes[index], h)
			}
		}
		grown = append(grown, hashes...)
	}
	if len(leaves)+len(nodes) != len(grown) {
		t.Errorf("the tree of %d entries has %d nodes too many", len(leaves), len(leaves)+len(nodes)-len(grown))
	}
	checkCheckpoints(t, tx, reader)
}

func hashesOf(t testing.TB, tx *sql.Tx, query string) map[int64]tlog.Hash {
	t.Helper()
	rows, err := tx.Query(query)
	if err != nil {
		t.Fatalf("reading the log's tree: %v", err)
	}
	defer rows.Close()
	hashes := map[int64]tlog.Hash{}
	for rows.Next() {
		var n int64
		var b []byte
		if err := rows.Scan(&n, &b); err != nil {
			t.Fatalf("reading the log's tree: %v", err)
		}
		hashes[n] = tlog.Hash(b)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("reading the log's tree: %v", err)
	}
	return hashes
}

func checkCheckpoints(t testing.TB, tx *sql.Tx, reader tlog.HashReader) {
	t.Helper()
	var key string
	if err := tx.QueryRow(`SELECT log_key FROM store`).Scan(&key); err != nil {
		t.Fatalf("reading the log's public key: %v", err)
	}
	var v note.Verifier
	rows, err := tx.Query(`SELECT size, signed FROM checkpoints`)
	if err != nil {
		t.Fatalf("reading the checkpoints: %v", err)
	}
	defer rows.Close()
	for rows.Next() {
		var size int64
		var signed string
		if err := rows.Scan(&size, &signed); err != nil {
			t.Fatalf("reading the checkpoints: %v", err)
		}
		if v, err = evidence.ParseVerifier(key); err != nil {
			t.Fatalf("the log's public key: %v", err)
		}
		c, err := evidence.OpenCheckpoint(signed, v)
		root, rootErr := tlog.TreeHash(size, reader)
		if err != nil || rootErr != nil || c.Size != size || c.Root != root {
			t.Errorf("the checkpoint of %d entries signs %+v (%v), and their root is %v (%v)", size, c, err, root, rootErr)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("reading the checkpoints: %v", err)
	}
}

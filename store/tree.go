package store

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// storedHashes reads the tree's hashes, the leaves from log_hashes and those
// above them from log_nodes.
func storedHashes(row func(query string, args ...any) scanner) tlog.HashReaderFunc {
	return func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			query, n := `SELECT hash FROM log_nodes WHERE n = $1`, index
			if level, leaf := tlog.SplitStoredHashIndex(index); level == 0 {
				query, n = `SELECT hash FROM log_hashes WHERE idx = $1`, leaf
			}
			if err := row(query, n).Scan(scan32(&hashes[i])); err != nil {
				return nil, fmt.Errorf("reading hash %d of the log's tree: %w", index, err)
			}
		}
		return hashes, nil
	}
}

// tree reads the tree as it is committed. Its hashes never change.
func (db *DB) tree(ctx context.Context) tlog.HashReader {
	return storedHashes(func(query string, args ...any) scanner { return db.reads.QueryRowContext(ctx, query, args...) })
}

// growTree writes the nodes that new leaves complete, one for each on average.
func (t *tx) growTree(first int64, leaves []tlog.Hash) error {
	return growTree(first, leaves,
		func(query string, args ...any) scanner { return t.row(query, args...) },
		func(query string, args ...any) error { _, err := t.exec(query, args...); return err })
}

func growTree(first int64, leaves []tlog.Hash, row func(string, ...any) scanner, exec func(string, ...any) error) error {
	stored := storedHashes(row)
	grown := map[int64]tlog.Hash{}
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			var ok bool
			if hashes[i], ok = grown[index]; ok {
				continue
			}
			h, err := stored([]int64{index})
			if err != nil {
				return nil, err
			}
			hashes[i] = h[0]
		}
		return hashes, nil
	})
	var nodes []any
	for i, leaf := range leaves {
		n := first + int64(i)
		hashes, err := tlog.StoredHashesForRecordHash(n, leaf, reader)
		if err != nil {
			return err
		}
		index := tlog.StoredHashIndex(0, n)
		for above, h := range hashes {
			grown[index+int64(above)] = h
			if above > 0 {
				nodes = append(nodes, index+int64(above), slices.Clone(h[:]))
			}
		}
	}
	for chunk := range slices.Chunk(nodes, 2*entriesAtOnce) {
		if err := exec(`INSERT INTO log_nodes (n, hash) VALUES `+tuples(len(chunk)/2, 2), chunk...); err != nil {
			return err
		}
	}
	return nil
}

// treeMigration is the one that gave the log its tree.
const treeMigration = 11

// grownAtOnce is how many leaves of an older log are read and grown together.
const grownAtOnce = 10_000

// growOlderTree grows the tree of a log that was begun without one, within its
// migration.
func (db *DB) growOlderTree(ctx context.Context) error {
	conn := db.writes.conn
	row := func(query string, args ...any) scanner { return conn.QueryRowContext(ctx, query, args...) }
	exec := func(query string, args ...any) error {
		_, err := conn.ExecContext(ctx, query, args...)
		return err
	}
	var size int64
	if err := row(logSizeQuery).Scan(&size); err != nil {
		return err
	}
	for n := int64(0); n < size; n += grownAtOnce {
		leaves, err := readHashes(ctx, conn, n, grownAtOnce)
		if err != nil {
			return fmt.Errorf("reading the log from entry %d on: %w", n, err)
		}
		if err := growTree(n, leaves, row, exec); err != nil {
			return err
		}
	}
	return nil
}

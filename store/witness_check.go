package store

import (
	"context"
	"database/sql"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/witness"
)

// checkWitness compares the witness with the store: the tree with the newest
// signed head, and each entry after that with its hash. It returns how many
// entries the store has.
func (db *DB) checkWitness(ctx context.Context, u *witness.Update) (size int64, err error) {
	if err := db.reads.QueryRowContext(ctx, logSizeQuery).Scan(&size); err != nil {
		return 0, err
	}
	from, err := db.checkHead(ctx, u.Head(), size)
	if err != nil {
		return 0, err
	}
	if u.Next() > size {
		return 0, db.olderThanWitness()
	}
	return size, db.checkEntries(ctx, from)
}

func (db *DB) olderThanWitness() error {
	return erasure.Errorf(erasure.CodeConflict, "The store in %s is older than its witness in %s, and lacks what was asked for and erased since; put its newest efface.db back, or run efface restore, which does again what the witness tells of.",
		db.options.Dir, db.options.Witness)
}

func (db *DB) forked(index int64) error {
	return erasure.Errorf(erasure.CodeConflict, "The store in %s and its witness in %s tell of entry %d of the deletion log differently; put back the efface.db that belongs to the witness or, where the witness alone is wrong, make a new one with efface witness rebuild.",
		db.options.Dir, db.options.Witness, index)
}

// checkHead returns how many entries the head signs.
func (db *DB) checkHead(ctx context.Context, signed string, size int64) (int64, error) {
	if signed == "" {
		return 0, nil
	}
	v, err := evidence.ParseVerifier(db.signer.VerifierKey())
	if err != nil {
		return 0, err
	}
	head, err := evidence.OpenCheckpoint(signed, v)
	if err != nil {
		return 0, erasure.Errorf(erasure.CodeConflict, "The newest head of the witness in %s is not signed by this store's log key; put the log key and the witness of this store in their places.", db.options.Witness)
	}
	if head.Size > size {
		return 0, db.olderThanWitness()
	}
	root, err := tlog.TreeHash(head.Size, db.tree(ctx))
	if err != nil {
		return 0, err
	}
	if root != head.Root {
		return 0, db.forked(head.Size - 1)
	}
	db.witness.signed.Store(head.Size)
	return head.Size, nil
}

const hashesQuery = `SELECT hash FROM log_hashes WHERE idx >= $1 ORDER BY idx LIMIT $2`

// checkEntries compares the witness's entries with their hashes in the store.
func (db *DB) checkEntries(ctx context.Context, from int64) error {
	var hashes []tlog.Hash
	var unread error // the store's own, which is no damage of the witness
	err := db.witness.Entries(from, func(index int64, line []byte) error {
		if len(hashes) == 0 {
			if hashes, unread = db.leafHashes(ctx, index); unread != nil {
				return unread
			}
		}
		hash, _, err := evidence.LineHash(line, index)
		if err != nil {
			return err
		}
		if len(hashes) == 0 || hash != hashes[0] {
			return db.forked(index)
		}
		hashes = hashes[1:]
		return nil
	})
	if unread != nil {
		return unread
	}
	return err
}

func (db *DB) leafHashes(ctx context.Context, from int64) ([]tlog.Hash, error) {
	return readHashes(ctx, db.reads, from, linesPerRead)
}

// readHashes reads the leaves from an entry on, so many at most.
func readHashes(ctx context.Context, from querier, first int64, limit int) (hashes []tlog.Hash, err error) {
	rows, err := from.QueryContext(ctx, hashesQuery, first, limit)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var h tlog.Hash
		err := scan(scan32(&h))
		hashes = append(hashes, h)
		return err
	})
	return hashes, err
}

// querier is a connection that reads, or a pool of them.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// CheckWitness compares every entry of the witness with the store's. An opening
// compares those after the newest signed head, and the rest of the witness.
func (db *DB) CheckWitness(ctx context.Context) error {
	if err := db.checkEntries(ctx, 0); err != nil {
		return db.witnessError(err)
	}
	return nil
}

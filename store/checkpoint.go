package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/seal"
)

// checkpointEvery is how old, by the store's time, the newest checkpoint may
// be while the log has grown since.
const checkpointEvery = 10 * time.Minute

var errNoCheckpoint = erasure.Errorf(erasure.CodeNotFound, "No checkpoint of the log was signed at this size.")

// loadLogKey reads the key that signs the log's checkpoints and receipts. It is
// made once: with another one, nothing that was signed before could be verified.
func (db *DB) loadLogKey(ctx context.Context) error {
	var known string
	if err := db.reads.QueryRowContext(ctx, `SELECT log_key FROM store`).Scan(&known); err != nil {
		return fmt.Errorf("reading the log's public key: %w", err)
	}
	path := db.options.LogKey
	text, err := seal.ReadSecret(path)
	if err == nil && text == "" && known == "" { // it was being made
		err = errors.Join(os.Remove(path), fs.ErrNotExist)
	}
	if errors.Is(err, fs.ErrNotExist) && known == "" {
		text, err = createLogKey(path, db.id)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return noLogKey(path)
	case erasure.CodeOf(err) != "":
		return err
	case err != nil:
		return fmt.Errorf("reading the log key: %w", err)
	}
	db.signer, err = evidence.NewSigner(text)
	if err != nil || db.signer.Origin() != evidence.Origin(db.id) || known != "" && db.signer.VerifierKey() != known {
		return notLogKey(path)
	}
	if known != "" {
		return nil
	}
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE store SET log_key = $1`, db.signer.VerifierKey())
		return err
	})
}

func noLogKey(path string) error {
	return erasure.Errorf(erasure.CodeInvalid, "The log key %s of this store is missing; put it back in its place, or name its place with --log-key.", path)
}

func notLogKey(path string) error {
	return erasure.Errorf(erasure.CodeInvalid, "The file %s is not the log key of this store; put a good copy of it there, or name its place with --log-key.", path)
}

func createLogKey(path string, store [16]byte) (string, error) {
	key, err := evidence.NewKey(store)
	if err != nil {
		return "", err
	}
	if err := seal.CreateSecret(path, key+"\n"); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return seal.ReadSecret(path) // another program may have made it first
}

// LogKey returns the public key that verifies this store's checkpoints and
// receipts, in the form of a note's verifier key.
func (db *DB) LogKey() string { return db.signer.VerifierKey() }

const (
	logSizeQuery     = `SELECT COALESCE(MAX(idx), -1) + 1 FROM log_hashes`
	insertCheckpoint = `INSERT INTO checkpoints (size, made, signed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	checkpointQuery  = `SELECT size, made, signed FROM checkpoints ORDER BY size DESC LIMIT 1`
)

// checkpoint is a signed statement of how the log stood.
type checkpoint struct {
	size   int64
	made   int64 // by the store's time
	signed string
}

// newestCheckpoint reads the newest one, and returns once the witness has it.
func (db *DB) newestCheckpoint(ctx context.Context) (c checkpoint, err error) {
	err = db.reads.QueryRowContext(ctx, checkpointQuery).Scan(&c.size, &c.made, &c.signed)
	if errors.Is(err, sql.ErrNoRows) {
		return checkpoint{}, nil
	}
	if err == nil && c.size > db.witness.signed.Load() {
		err = db.publish(ctx, c) // in a commit that the witness does not have yet, or of another program
	}
	return c, err
}

// Checkpoint signs how the log stands, unless that is signed already, and
// returns how many entries the newest checkpoint covers.
func (db *DB) Checkpoint(ctx context.Context) (size int64, err error) {
	c, err := db.checkpointOf(ctx, 0)
	return c.size, err
}

// CheckpointAt returns the checkpoint that was signed of so many entries or,
// for 0, the newest one; [erasure.CodeNotFound] where there is none.
func (db *DB) CheckpointAt(ctx context.Context, size int64) (signed string, err error) {
	c := checkpoint{size: size}
	if size == 0 {
		c, err = db.newestCheckpoint(ctx)
	} else {
		err = db.reads.QueryRowContext(ctx, `SELECT made, signed FROM checkpoints WHERE size = $1`, size).Scan(&c.made, &c.signed)
		if err == nil && size > db.witness.signed.Load() {
			err = db.publish(ctx, c)
		}
	}
	if errors.Is(err, sql.ErrNoRows) || err == nil && c.signed == "" {
		return "", errNoCheckpoint
	}
	return c.signed, err
}

// CheckpointDue signs how the log stands where it has grown and the newest
// checkpoint is ten minutes old.
func (db *DB) CheckpointDue(ctx context.Context) error {
	c, err := db.newestCheckpoint(ctx)
	if err != nil {
		return err
	}
	_, hb := db.now()
	if c.signed != "" && hb.Store-c.made < checkpointEvery.Milliseconds() {
		return nil
	}
	_, err = db.checkpointOf(ctx, 0)
	return err
}

// checkpointOf returns the newest checkpoint if it covers so many entries or,
// for 0, all that there are; else it signs one.
func (db *DB) checkpointOf(ctx context.Context, entries int64) (checkpoint, error) {
	newest, err := db.newestCheckpoint(ctx)
	if err != nil || entries > 0 && newest.size >= entries {
		return newest, err
	}
	c := checkpoint{}
	if err := db.reads.QueryRowContext(ctx, logSizeQuery).Scan(&c.size); err != nil {
		return c, err
	}
	if newest.signed != "" && c.size == newest.size {
		return newest, nil
	}
	root, err := tlog.TreeHash(c.size, db.tree(ctx))
	if err != nil {
		return c, err
	}
	if c.signed, err = (evidence.Checkpoint{Origin: db.signer.Origin(), Size: c.size, Root: root}).Sign(db.signer); err != nil {
		return c, fmt.Errorf("signing a checkpoint: %w", err)
	}
	return c, db.publish(ctx, c)
}

// publish keeps a checkpoint, and returns once the witness has it too.
func (db *DB) publish(ctx context.Context, c checkpoint) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(insertCheckpoint, c.size, t.hb.Store, c.signed)
		t.heads = append(t.heads, c)
		return err
	})
}

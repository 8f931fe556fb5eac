// Package store keeps what Efface knows: sealed profiles, deletion requests
// and the log of both, in two SQLite files without a common commit.
//
// An exported method of [DB] is one transaction, or one read.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/witness"
)

// DB is an open store. It is safe for concurrent use.
type DB struct {
	options Options
	log     *slog.Logger
	lock    *os.File
	held    *os.File // the master key, which nobody changes meanwhile
	id      [16]byte // the store's

	reads   *reads
	writes  *writer
	turns   turns // of programs that write
	keyring *seal.Keyring
	keys    *seal.Pool // made ahead
	secrets secrets
	signer  evidence.Signer
	witness witnessing

	restoring *restoring // nil but while a backup is made a store

	region regionCache
	names  names
	used   keyUse

	waiting waiting
	hits    atomic.Int64                        // see [erasure.Status]
	tests   atomic.Pointer[erasure.TestPersons] // nil where there was none yet

	queueing sync.Map      // erasure.BatchID of the lists that are being queued
	bulkTurn chan struct{} // holds one while a chunk of a list is worked on
	statfs   func(path string, disk *unix.Statfs_t) error

	beat  sync.Mutex
	since erasure.Heartbeat // what the store's time is reckoned from
}

// Open opens the store in a directory and makes a new one where there is
// none. What stops it is an [erasure.Error] whose sentence says what to do.
func Open(ctx context.Context, o Options) (*DB, error) {
	o.fill()
	db := newDB(o)
	if err := db.open(ctx); err != nil {
		return nil, errors.Join(openError(o, err), db.Close())
	}
	return db, nil
}

func newDB(o Options) *DB {
	return &DB{options: o, bulkTurn: make(chan struct{}, 1), statfs: unix.Statfs, log: o.Logger}
}

func (db *DB) open(ctx context.Context) error {
	path := filepath.Join(db.options.Dir, databaseFile)
	if err := refuseHalfPlaced(db.options); err != nil {
		return err
	}
	if err := db.storeThere(path); err != nil {
		return err
	}
	if err := makeDir(db.options.Dir); err != nil {
		return err
	}
	if db.options.Serve {
		lock, err := lockDir(filepath.Join(db.options.Dir, lockFile))
		if err != nil {
			return err
		}
		db.lock = lock
	}
	master, err := db.loadMaster(path)
	if err != nil {
		return err
	}
	if err := db.openDatabase(ctx, path); err != nil {
		return err
	}
	if err := db.keyringThere(ctx); err != nil {
		return err
	}
	if db.keyring, err = seal.OpenKeyring(db.options.Keyring, master, db.id); err != nil {
		return err
	}
	if err := db.keyring.Check(ctx); err != nil {
		return err
	}
	db.keys = db.keyring.NewPool(keysAhead, func() time.Duration { return db.options.Clock.Now().Boottime })
	if err := db.loadSecrets(ctx); err != nil {
		return err
	}
	if err := db.loadLogKey(ctx); err != nil {
		return err
	}
	if db.restoring != nil {
		return db.restore(ctx)
	}
	if err := db.refuseBackup(ctx); err != nil {
		return err
	}
	if err := db.openWitness(ctx); err != nil || !db.options.Serve {
		return err
	}
	if err := unstage(db.options); err != nil {
		return fmt.Errorf("removing what a restore left: %w", err)
	}
	if err := db.loadHits(ctx); err != nil {
		return err
	}
	if err := db.loadTestPersons(ctx); err != nil {
		return err
	}
	return db.endBrokenSpools(ctx)
}

// keysAhead is how many data keys are kept ready, so that making them durable
// costs no write a commit of its own.
const keysAhead = 2048

// A key file is made with a new store only: beside an old one its absence is
// a mistake that a new key would hide.
func (db *DB) loadMaster(database string) (m seal.Master, err error) {
	if _, err := os.Stat(database); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(db.options.MasterKey); errors.Is(err, fs.ErrNotExist) {
			if _, err := seal.CreateMaster(db.options.MasterKey); err != nil {
				return m, err
			}
		}
	}
	if db.restoring == nil { // which holds it itself
		if db.held, err = seal.HoldMaster(db.options.MasterKey, db.options.Alone); err != nil {
			return m, err
		}
	}
	next, past, err := seal.MasterChanging(db.options.MasterKey)
	if err == nil && (next || past) {
		db.log.Warn("the change of the master key was broken off: stop the server and run efface key rotate-master again, to end it")
	}
	if err != nil {
		return m, err
	}
	return seal.LoadMaster(db.options.MasterKey)
}

// storeThere refuses what is left of a store whose database is gone: a new one
// beside a keyring would name none of its keys, and the sweep would destroy them.
// A new store's database is made before anything else, so this is no half-made
// store.
func (db *DB) storeThere(database string) error {
	left, err := db.leftOfStore()
	if left == "" || err != nil {
		return err
	}
	if _, err := os.Stat(database); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return erasure.Errorf(erasure.CodeInvalid,
		"There is no store in %s, but %s of one; put its efface.db back, restore a backup with efface restore, or name another directory with --data.",
		db.options.Dir, left)
}

// leftOfStore names a part of a store that is there.
func (db *DB) leftOfStore() (string, error) {
	o := db.options
	for _, part := range []struct{ path, name string }{{o.Keyring, "the keyring "}, {o.LogKey, "the log key "}} {
		if _, err := os.Stat(part.path); err == nil {
			return part.name + part.path, nil
		}
	}
	there, err := witness.There(o.Witness)
	if err == nil && !there || errors.Is(err, unix.ENOTDIR) { // as where the store's directory is a file
		return "", nil
	}
	if err != nil {
		return "", db.witnessError(err)
	}
	return "the witness " + o.Witness, nil
}

// keyringThere refuses a store in use whose keyring is gone: a new one would
// hold none of its keys.
func (db *DB) keyringThere(ctx context.Context) error {
	_, err := os.Stat(db.options.Keyring)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var used bool
	if err := db.reads.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM secrets)`).Scan(&used); err != nil || !used {
		return err
	}
	return erasure.Errorf(erasure.CodeInvalid,
		"The keyring %s of this store is missing; put it back in its place, or name its place with --keyring.", db.options.Keyring)
}

func (db *DB) openDatabase(ctx context.Context, path string) error {
	var err error
	if err := db.turns.open(db.options.Dir); err != nil {
		return err
	}
	if db.writes, err = openWriter(ctx, path, db); err != nil {
		return err
	}
	if db.restoring != nil {
		if err := db.checkFile(ctx); err != nil {
			return err
		}
	}
	if err := db.migrate(ctx); err != nil {
		return err
	}
	if db.reads, err = openReads(path); err != nil {
		return err
	}
	if err := db.reads.QueryRowContext(ctx, `SELECT store_id FROM store`).Scan(scan16(&db.id)); err != nil {
		return fmt.Errorf("reading the store's id: %w", err)
	}
	if err := db.startClock(ctx); err != nil {
		return err
	}
	db.writes.start()
	return nil
}

// Close waits for the writes that were accepted and closes the files.
func (db *DB) Close() error {
	var errs []error
	if db.writes != nil {
		errs = append(errs, db.writes.close())
	}
	errs = append(errs, db.turns.close())
	if db.reads != nil {
		errs = append(errs, db.reads.Close())
	}
	if db.keys != nil {
		db.keys.Close()
	}
	if db.keyring != nil {
		errs = append(errs, db.keyring.Close())
	}
	if db.witness.Witness != nil {
		errs = append(errs, db.witness.Close())
	}
	for _, f := range []*os.File{db.held, db.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// write runs fn in a commit that it may share with others, and returns once
// that commit is durable. fn may run several times, so it must do nothing
// outside the transaction but assign its results.
func (db *DB) write(ctx context.Context, fn func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.writes.do(fn)
}

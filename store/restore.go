package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// Restore says what is put in place, and what may be missing.
type Restore struct {
	From           string // directory that [DB.Backup] wrote; "" keeps the database that is there
	KeyringFrom    string // copy of the keyring; "" keeps the one that is there
	AcceptLoss     bool   // go on where the keyring lacks keys of people who were not erased, or the witness open requests
	WithoutWitness bool   // go on without what was asked for and erased since the backup
}

// Restored says what a restore did.
type Restored struct {
	MadeAt   time.Time // the backup; zero where the database was kept
	Entries  int64     // of the log, taken from the witness
	Requests int       // made since the backup
	Ended    int       // cancelled or completed since
	Reopened int       // whose rows came back, to be deleted again
	Pending  int       // that have a new window
	Unasked  int       // open requests of which the witness lacks what they ask for
	Keys     int       // destroyed again
	Unnamed  int       // keys destroyed because nothing names them
	Lost     int       // sources whose key the keyring lacks, or has destroyed without an erasure
	Unread   int       // identifiers that can't be read, and lead to nobody
	Gone     int       // sources whose key is destroyed, by erasures that the lost witness would tell of
}

// restoring is a restore that prepares what is to be put in place.
type restoring struct {
	*placement
	manifest Manifest // zero where the database is kept
	history  history
	keys     keysFound
}

// What a restore prepares stands beside what it becomes, and nothing else opens it.
const (
	stagingDir     = "restoring"
	stagingKeyring = ".restoring"
)

// RestoreBackup puts a backup, a copy of the keyring or both in place, or takes
// what is there, and does again what happened since by the witness: nobody who was
// erased comes back, and no request or cancel that was acknowledged is lost. What
// stops it is an [erasure.Error], and then what was there is as it was. A kill
// leaves that too, but for keys that had been destroyed before and entries of the
// witness, or is in the middle of putting things in place; run again, it goes on.
func RestoreBackup(ctx context.Context, o Options, r Restore) (did Restored, err error) {
	o.fill()
	o.Serve = true
	held, err := holdDir(o.Dir)
	if err != nil {
		return did, err
	}
	defer func() { err = errors.Join(err, held.leave(err != nil)) }()
	alone, err := seal.HoldMaster(o.MasterKey, true) // what a command writes meanwhile would be lost
	if err != nil {
		return did, err
	}
	defer func() { err = errors.Join(err, alone.Close()) }()
	staged := r.staged(o)
	p, err := r.placementBefore(o)
	if err == nil && p == nil {
		p, err = r.prepare(ctx, o, staged)
	}
	if err != nil {
		return did, err
	}
	if err := p.putInPlace(o, staged); err != nil {
		return p.Did, r.explain(o, staged, err)
	}
	if err := p.Unnamed.destroy(ctx, o); err != nil {
		o.Logger.Error("keys that nothing names are not destroyed", "error", err)
		return p.Did, errUnnamed(o)
	}
	return p.Did, unstage(o)
}

// staged is where the restore prepares what it puts in place.
func (r Restore) staged(o Options) Options {
	if r.KeyringFrom != "" {
		o.Keyring += stagingKeyring
	}
	o.Dir = filepath.Join(o.Dir, stagingDir)
	return o
}

// checkPlaces refuses to write over anything.
func (r Restore) checkPlaces(o Options) error {
	for _, path := range []string{r.From, r.KeyringFrom, o.Witness} {
		if path != "" && isStaged(o, path) {
			return erasure.Errorf(erasure.CodeInvalid, "A restore uses the name %s itself; give what is there another one.", path)
		}
	}
	database := filepath.Join(o.Dir, databaseFile)
	there, err := anyOf(database)
	switch {
	case err != nil:
		return err
	case r.From == "" && !there:
		return erasure.Errorf(erasure.CodeInvalid, "There is no store in %s; name its directory with --data, or a backup with --from.", o.Dir)
	case r.From != "" && there:
		return erasure.Errorf(erasure.CodeConflict, "There is a store in %s already; move its files efface.db, efface.db-wal and efface.db-shm aside, or name another directory with --data.", o.Dir)
	}
	if r.KeyringFrom == "" {
		return nil
	}
	if there, err = anyOf(o.Keyring); err == nil && there {
		err = erasure.Errorf(erasure.CodeConflict, "There is a keyring %s already; move it aside with the files beside it that end in -wal and -shm, or leave out --keyring-from to use it.", o.Keyring)
	}
	return err
}

// anyOf reports whether a database is there, or a part of one.
func anyOf(path string) (bool, error) {
	for _, suffix := range databaseParts {
		if _, err := os.Lstat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			return err == nil, err
		}
	}
	return false, nil
}

// databaseParts are what SQLite makes of a database.
var databaseParts = []string{"", "-wal", "-shm"}

// unstage removes what a restore prepared, or left when it was killed.
func unstage(o Options) error {
	errs := []error{os.RemoveAll(filepath.Join(o.Dir, stagingDir))}
	for _, suffix := range databaseParts {
		if err := os.Remove(o.Keyring + stagingKeyring + suffix); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// isStaged reports whether a path is one that unstage removes.
func isStaged(o Options, path string) bool {
	absolute := func(path string) string {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		path, err := filepath.Abs(path)
		if err != nil {
			return ""
		}
		return path + string(filepath.Separator)
	}
	path = absolute(path)
	return strings.HasPrefix(path, absolute(filepath.Join(o.Dir, stagingDir))) || strings.HasPrefix(path, absolute(o.Keyring+stagingKeyring))
}

// prepare makes a store of what is to be put in place, beside that place.
func (r Restore) prepare(ctx context.Context, o, staged Options) (p *placement, err error) {
	if err := r.checkPlaces(o); err != nil {
		return nil, err
	}
	if err := unstage(o); err != nil {
		return nil, err
	}
	p, err = r.make(ctx, o, staged)
	if err == nil {
		err = r.checkWhole(o, staged)
	}
	if err == nil {
		err = p.keep(staged)
	}
	if err != nil {
		return nil, errors.Join(r.explain(o, staged, err), unstage(o))
	}
	return p, nil
}

func (r Restore) make(ctx context.Context, o, staged Options) (*placement, error) {
	if err := makeDir(staged.Dir); err != nil {
		return nil, err
	}
	path := filepath.Join(staged.Dir, databaseFile)
	var m Manifest
	var err error
	if r.From == "" {
		err = copyDatabase(ctx, filepath.Join(o.Dir, databaseFile), path, &Manifest{})
	} else {
		m, err = r.copyBackup(path, staged.LogKey)
	}
	if err == nil && r.KeyringFrom != "" {
		err = r.copyKeyring(staged.Keyring)
	}
	if err != nil {
		return nil, err
	}
	db := newDB(staged)
	p := &placement{Restore: r, SHA256: m.SHA256, Did: Restored{MadeAt: m.MadeAt}}
	db.restoring = &restoring{placement: p, manifest: m}
	return p, errors.Join(db.open(ctx), db.Close())
}

// refuseBackup keeps a backup that somebody put in place from being served: who
// was erased since would be back.
func (db *DB) refuseBackup(ctx context.Context) error {
	var backup bool
	err := db.reads.QueryRowContext(ctx, `SELECT backup FROM store`).Scan(&backup)
	if err == nil && backup {
		err = erasure.Errorf(erasure.CodeConflict, "The efface.db in %s is a backup, which lacks what was erased since; move it to a directory of its own, with its backup.json, and put it in place with efface restore.", db.options.Dir)
	}
	return err
}

package store

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/efface/efface/store/erasure"
)

// placement is what a restore prepared beside its place, whole: all that is left
// is to move it there. It is written down, so that the same restore goes on after
// a kill, and nothing starts from one half of it.
type placement struct {
	Restore Restore
	SHA256  string // of the backup's efface.db, in hex
	Did     Restored
	unnamed unnamedKeys // after a kill they are the sweep's
}

const placementFile = "placement.json"

// keep writes down what is to be moved.
func (p *placement) keep(staged Options) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	path := filepath.Join(staged.Dir, placementFile)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return errors.Join(os.Rename(path+".new", path), syncPath(staged.Dir))
}

// readPlacement reads what a restore that was broken off had prepared; nil where
// there is none.
func readPlacement(o Options) (p *placement, err error) {
	b, err := os.ReadFile(filepath.Join(o.Dir, stagingDir, placementFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return p, json.Unmarshal(b, &p)
}

// placementBefore is what the same restore had prepared when it was killed.
func (r Restore) placementBefore(o Options) (*placement, error) {
	p, err := readPlacement(o)
	if err != nil || p == nil || p.Restore != r {
		return nil, err
	}
	if r.From != "" {
		if m, err := r.manifest(); err != nil || m.SHA256 != p.SHA256 {
			return nil, err
		}
	}
	return p, nil
}

// refuseHalfPlaced keeps a store from being opened while a restore is to be put in
// its place.
func refuseHalfPlaced(o Options) error {
	p, err := readPlacement(o)
	if err != nil || p == nil {
		return err
	}
	_, err = os.Lstat(filepath.Join(o.Dir, stagingDir, databaseFile)) // which is moved last
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, erasure.Errorf(erasure.CodeConflict,
		"A restore into %s was broken off while it was put in place; run the same efface restore again.", o.Dir))
}

// putInPlace moves the keyring first: beside a database without one nothing
// starts. What a kill left moved already is not moved again.
func (p *placement) putInPlace(o, staged Options) error {
	moves := [][2]string{{filepath.Join(staged.Dir, databaseFile), filepath.Join(o.Dir, databaseFile)}}
	if p.Restore.KeyringFrom != "" {
		moves = slices.Insert(moves, 0, [2]string{staged.Keyring, o.Keyring})
	}
	for _, m := range moves {
		if info, err := os.Stat(m[0] + "-wal"); err == nil && info.Size() > 0 { // closing it tells no error
			return erasure.Errorf(erasure.CodeInvalid, "What was restored could not be written whole to %s; look after its disk and restore again.", o.Dir)
		}
	}
	for _, m := range moves {
		if err := moveFile(m[0], m[1]); err != nil {
			return err
		}
	}
	return nil
}

// moveFile moves a database. What SQLite wrote beside the one that was there is
// in it since that was read alone; a kill must not leave it without.
func moveFile(from, to string) error {
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if info, err := os.Stat(to + "-wal"); err == nil && info.Size() > 0 {
		return erasure.Errorf(erasure.CodeConflict, "Another program uses %s; end it and restore again.", to)
	}
	for _, suffix := range databaseParts[1:] {
		if err := os.Remove(to + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncPath(filepath.Dir(to))
}

package store

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/store/erasure"
)

// placement is what a restore prepared beside its place, whole: all that is left
// is to move it there. It is written down, so that the same restore goes on after
// a kill, and nothing starts from one half of it.
type placement struct {
	Restore
	SHA256  string // of the backup's efface.db, in hex
	Did     Restored
	Unnamed unnamedKeys
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
	path := filepath.Join(o.Dir, stagingDir, placementFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err == nil && json.Unmarshal(b, &p) != nil {
		err = erasure.Errorf(erasure.CodeInvalid, "The file %s, which a restore left, is damaged; move the directory that it is in aside and run efface restore again.", path)
	}
	return p, err
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

// moves are from where to where. The keyring is moved first: beside a database
// without one nothing starts.
func (r Restore) moves(o, staged Options) [][2]string {
	database := [2]string{filepath.Join(staged.Dir, databaseFile), filepath.Join(o.Dir, databaseFile)}
	if r.KeyringFrom == "" {
		return [][2]string{database}
	}
	return [][2]string{{staged.Keyring, o.Keyring}, database}
}

// checkWhole refuses to move a database of which a part stands in its WAL, or on
// one: closing it tells no error.
func (r Restore) checkWhole(o, staged Options) error {
	for _, m := range r.moves(o, staged) {
		for _, path := range m {
			if inWAL(path) {
				return erasure.Errorf(erasure.CodeInvalid,
					"A part of %s stays in the file beside it that ends in -wal; make room on its disk, end what else uses it, and run the same efface restore again.", path)
			}
		}
	}
	return nil
}

func inWAL(path string) bool {
	info, err := os.Stat(path + "-wal")
	return err == nil && info.Size() > 0
}

// putInPlace moves what a kill has not left moved already.
func (p *placement) putInPlace(o, staged Options) error {
	for _, m := range p.Restore.moves(o, staged) {
		if _, err := os.Lstat(m[0]); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := moveFile(m[0], m[1]); err != nil {
			return err
		}
	}
	return nil
}

// moveFile moves a database. What SQLite wrote beside the one that was there is
// in it since that was read alone; a kill must not leave it without.
func moveFile(from, to string) error {
	if inWAL(to) {
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

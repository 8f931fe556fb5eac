package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// heldDir is a data directory that nobody else may use meanwhile.
type heldDir struct {
	lock *os.File
	made []string // that were not there before, the deepest first
}

// holdDir makes a directory unless it is there, and takes its lock.
func holdDir(dir string) (h heldDir, err error) {
	path := filepath.Join(dir, lockFile)
	for p := path; ; p = filepath.Dir(p) {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		h.made = append(h.made, p)
	}
	if err := makeDir(dir); err != nil {
		return h, errors.Join(err, h.leave(true))
	}
	if h.lock, err = lockDir(path); err != nil {
		h.made = slices.DeleteFunc(h.made, func(made string) bool { return made == path }) // another program may have it
		return h, errors.Join(err, h.leave(true))
	}
	return h, nil
}

// leave gives the directory up and, where nothing came of it, removes what was made
// for it and is empty.
func (h heldDir) leave(undo bool) error {
	if undo {
		for _, path := range h.made {
			if os.Remove(path) != nil { // something else is in it by now
				break
			}
		}
	}
	if h.lock == nil {
		return nil
	}
	return h.lock.Close()
}

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/efface/efface/store/erasure"
)

// scanned are the files that a scan reads.
type scanned struct {
	paths  []string
	unread []string // directories that can't be
	size   int64
	known  map[string]bool
}

func (c *scanCommand) files() (scanned, error) {
	s := scanned{known: map[string]bool{}}
	if !(storeFlags{Data: c.Data}).hasStore() {
		return s, erasure.Errorf(erasure.CodeInvalid, "There is no store in %s; name its directory with --data.", c.Data)
	}
	for _, root := range append([]string{c.Data, c.Keyring, c.Witness}, c.Also...) {
		if root == "" {
			continue
		}
		if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
			return s, erasure.Errorf(erasure.CodeInvalid, "There is nothing at %s.", root)
		}
		s.add(root)
	}
	return s, nil
}

// add takes a file, or all those below a directory, and what links lead to.
func (s *scanned) add(root string) {
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error { // its errors are taken note of
		switch {
		case errors.Is(err, fs.ErrNotExist): // gone meanwhile
		case errors.Is(err, fs.ErrPermission) && d != nil && d.IsDir() && d.Name() == "lost+found": // a file system's own
		case err != nil:
			s.unread = append(s.unread, path)
		case d.Type()&fs.ModeSymlink != 0:
			s.follow(path)
		case d.Type().IsRegular():
			s.take(path)
		}
		return nil
	})
}

func (s *scanned) follow(path string) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil || s.known[real] {
		return
	}
	if i, err := os.Stat(real); err == nil && i.IsDir() {
		s.known[real] = true
		s.add(real)
		return
	}
	s.take(real)
}

// take takes a file and, as it may be a database, what SQLite keeps beside it.
func (s *scanned) take(path string) {
	for _, beside := range []string{"", "-wal", "-shm"} {
		path := path + beside
		i, err := os.Stat(path)
		if err == nil && i.Mode().IsRegular() && !s.known[path] {
			s.known[path] = true
			s.paths, s.size = append(s.paths, path), s.size+i.Size()
		}
	}
}

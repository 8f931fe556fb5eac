package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// sightings are what was found, and the places of it.
type sightings map[string][]string

func (s sightings) add(found map[string]bool, place string) {
	for name := range found {
		s[name] = append(s[name], place)
	}
}

// merge takes over what was found elsewhere.
func (s sightings) merge(more sightings) {
	for name, places := range more {
		s[name] = append(s[name], places...)
	}
}

// inFiles searches the raw bytes of every file below some directories. A file
// may go while it is read, as a database's log does.
func (p *planted) inFiles(t *testing.T, dirs ...string) sightings {
	t.Helper()
	found := sightings{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				var b []byte
				b, err = os.ReadFile(path)
				found.add(p.in(b), path)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// behind searches the regular files behind every descriptor of a process,
// unlinked ones included.
func (p *planted) behind(t *testing.T, pid int) sightings {
	t.Helper()
	found := sightings{}
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		path := filepath.Join(dir, fd.Name())
		target, err := os.Readlink(path)
		if err == nil && !strings.HasPrefix(target, "/") {
			continue // a socket or a pipe
		}
		if info, statErr := os.Stat(path); err == nil && statErr == nil && !info.Mode().IsRegular() {
			continue
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // closed since it was listed
		}
		if err != nil {
			t.Fatal(err)
		}
		found.add(p.in(b), "descriptor "+fd.Name()+", "+target)
	}
	return found
}

// report fails with a few of the sightings.
func (s sightings) report(t *testing.T, when string) {
	t.Helper()
	shown := 0
	for name, places := range s {
		if shown++; shown > 5 {
			t.Errorf("%s: and %d more", when, len(s)-5)
			return
		}
		t.Errorf("%s: %s is in %s", when, name, places[0])
	}
}

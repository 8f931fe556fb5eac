package store

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// What lists leave of the disk, so that a cancel, a claim and the destruction
// of keys always have room: a twentieth of it, within these bounds. The lower
// one is several times what the write-ahead logs, which are a few megabytes
// each, may yet add to the files.
const (
	reservePart = 20
	reserveMin  = 32 << 20
	reserveMax  = 256 << 20
)

// roomForLists is an error that [Full] knows where a list would take what the
// rest of the store may need.
func (db *DB) roomForLists() error {
	for _, dir := range []string{db.options.Dir, filepath.Dir(db.options.Keyring)} {
		if err := db.roomIn(dir); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) roomIn(dir string) error {
	var disk unix.Statfs_t
	if err := db.statfs(dir, &disk); err != nil {
		return fmt.Errorf("reading how much room the disk has: %w", err)
	}
	size := uint64(disk.Bsize)
	if disk.Bavail*size < min(max(disk.Blocks*size/reservePart, reserveMin), reserveMax) {
		return fmt.Errorf("a list needs more room than the disk has to spare: %w", unix.ENOSPC)
	}
	return nil
}

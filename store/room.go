package store

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// What lists leave of the disk, so that a cancel, a claim and the destruction
// of keys always have room: a twentieth of it, and no more than so many bytes.
const (
	reservePart  = 20
	reserveBytes = 256 << 20
)

// roomForLists is an error that [Full] knows where a list would take what the
// rest of the store may need.
func (db *DB) roomForLists() error {
	var disk unix.Statfs_t
	if err := db.statfs(db.options.Dir, &disk); err != nil {
		return fmt.Errorf("reading how much room the disk has: %w", err)
	}
	size := uint64(disk.Bsize)
	if disk.Bavail*size < min(disk.Blocks*size/reservePart, reserveBytes) {
		return fmt.Errorf("a list needs more room than the disk has to spare: %w", unix.ENOSPC)
	}
	return nil
}

package store

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/store/erasure"
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
	d, err := db.disk(dir)
	if err == nil && d.Low {
		err = fmt.Errorf("a list needs more room than the disk has to spare: %w", unix.ENOSPC)
	}
	return err
}

func (db *DB) disk(dir string) (d erasure.Disk, err error) {
	var disk unix.Statfs_t
	if err := db.statfs(dir, &disk); err != nil {
		return d, fmt.Errorf("reading how much room the disk has: %w", err)
	}
	block := uint64(disk.Bsize)
	d = erasure.Disk{Dir: dir, Free: disk.Bavail * block, Size: disk.Blocks * block}
	d.Low = d.Free < min(max(d.Size/reservePart, reserveMin), reserveMax)
	return d, nil
}

// disks tells of those that the store is on. One that can't be read of has no
// size.
func (db *DB) disks() []erasure.Disk {
	all := []erasure.Disk{{Of: "data", Dir: db.options.Dir}}
	if keyring := filepath.Dir(db.options.Keyring); keyring != filepath.Clean(db.options.Dir) {
		all = append(all, erasure.Disk{Of: "keyring", Dir: keyring})
	}
	if db.witness.Witness != nil && !db.witness.beside {
		all = append(all, erasure.Disk{Of: "witness", Dir: db.options.Witness})
	}
	for i, of := range all {
		if d, err := db.disk(of.Dir); err == nil {
			d.Of = of.Of
			all[i] = d
		}
	}
	return all
}

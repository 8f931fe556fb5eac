package store

import (
	"database/sql"
	"os"

	"github.com/efface/efface/store/seal"
)

// What must differ between SQLite and another database stands in this file.

// openWrites opens the pool of the one connection that writes, and makes the
// file where there is none.
func openWrites(path string) (*sql.DB, error) {
	if err := seal.CreateFile(path); err != nil && !os.IsExist(err) {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil { // of a copy that somebody put back
		return nil, err
	}
	return openPool(path, seal.DSNOptions{CacheKiB: 64 << 10}, 1)
}

func openPool(path string, o seal.DSNOptions, connections int) (*sql.DB, error) {
	pool, err := sql.Open(seal.Driver, seal.DSN(path, o))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return pool, nil
}

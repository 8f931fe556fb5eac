package store

import (
	"database/sql"
	"os"

	"github.com/efface/efface/store/seal"
)

// What opens the database stands in this file and is SQLite's own. So are, in
// the files that use them: the savepoints, BEGIN IMMEDIATE and AutoCommit of
// group.go, LastInsertId in tx.go, and the error codes of files.go and
// explain.go, all of scrub.go, scrub_page.go and backup.go, the index of
// lookup_rebuild.go, and how migrations/ lays out the tables. All other statements keep to what PostgreSQL speaks too.

// writerCacheKiB holds the inner pages of the trees of a million people. More
// costs more than it saves: whenever a page was split, SQLite walks over the
// whole cache at the next COMMIT.
const writerCacheKiB = 8 << 10

// openWrites opens the pool of the one connection that writes, and makes the
// file where there is none.
func openWrites(path string) (*sql.DB, error) {
	if err := seal.CreateFile(path); err != nil && !os.IsExist(err) {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil { // of a copy that somebody put back
		return nil, err
	}
	return seal.OpenPool(path, seal.DSNOptions{CacheKiB: writerCacheKiB}, 1)
}

// otherWritersQuery gives a number that changes with each commit of another
// program.
const otherWritersQuery = `SELECT data_version FROM pragma_data_version`

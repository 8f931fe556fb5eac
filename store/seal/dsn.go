package seal

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mattn/go-sqlite3"
)

// Driver is the name under which database/sql knows SQLite as Efface uses it:
// every connection of every command is opened with this driver and a [DSN].
const Driver = "efface-sqlite"

func init() {
	sql.Register(Driver, &sqlite3.SQLiteDriver{ConnectHook: beside})
}

// perConnection holds the settings that the driver's DSN has no words for.
//
// Without temp_store=MEMORY the journal of a savepoint is an unlinked file
// that shows what is being overwritten. A page that does not fit the cache
// goes to the WAL, which the truncating checkpoint clears. With
// recursive_triggers, REPLACE fires the triggers that refuse a DELETE.
const perConnection = `
PRAGMA temp_store = MEMORY;
PRAGMA mmap_size = 0;
PRAGMA cell_size_check = ON;
PRAGMA trusted_schema = OFF;
PRAGMA recursive_triggers = ON;
PRAGMA foreign_keys = ON;`

func beside(c *sqlite3.SQLiteConn) error {
	_, err := c.Exec(perConnection, nil)
	return err
}

// DSNOptions is what may differ between connections.
type DSNOptions struct {
	// BusyTimeout is how long a statement waits for another connection's
	// lock; zero means 10 seconds.
	BusyTimeout time.Duration
	// QueryOnly refuses every statement that writes.
	QueryOnly bool
	// CacheKiB is the size of the page cache; zero leaves SQLite's 2,000 KiB.
	CacheKiB int
}

const busyTimeout = 10 * time.Second

// DSN returns what database/sql opens path with. It and [Driver] are the one
// place that spells PRAGMAs. The file must exist: see [CreateFile].
func DSN(path string, o DSNOptions) string {
	if o.BusyTimeout == 0 {
		o.BusyTimeout = busyTimeout
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	q := url.Values{
		"mode":           {"rw"}, // SQLite would create it under the umask
		"_journal_mode":  {"WAL"},
		"_synchronous":   {"FULL"},
		"_secure_delete": {"ON"},
		"_busy_timeout":  {strconv.FormatInt(o.BusyTimeout.Milliseconds(), 10)},
		"_txlock":        {"immediate"}, // a deferred one can't wait when it turns into a writer
		"_mutex":         {"no"},        // database/sql lets one goroutine at a time use a connection
	}
	if o.QueryOnly {
		q.Set("_query_only", "1")
	}
	if o.CacheKiB > 0 {
		q.Set("_cache_size", strconv.Itoa(-o.CacheKiB))
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// OpenPool opens path with a number of connections that stay open.
func OpenPool(path string, o DSNOptions, connections int) (*sql.DB, error) {
	db, err := sql.Open(Driver, DSN(path, o))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// OpenMemory opens a new database that has no file.
func OpenMemory() (*sql.DB, error) {
	db, err := sql.Open(Driver, ":memory:")
	if err == nil {
		db.SetMaxOpenConns(1) // each would have a database of its own
	}
	return db, err
}

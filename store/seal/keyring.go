package seal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Keyring holds every key of a store, wrapped by the master key, in a file of
// its own. Its table is never indexed, widened, vacuumed or deleted from, and
// no statement changes a row's length: each would leave copies of keys behind.
// Another process may have the same file open.
type Keyring struct {
	master  Master
	storeID [16]byte
	path    string

	write    *sql.DB // one connection
	insert   *sql.Stmt
	update   *sql.Stmt
	truncate *sql.DB // one connection, which waits 100 ms at most

	reads   *sql.DB // each read is one short statement, never a transaction
	get     *sql.Stmt
	walk    *sql.Stmt
	highest *sql.Stmt
}

const (
	schema = `CREATE TABLE IF NOT EXISTS keys (n INTEGER PRIMARY KEY, k BLOB NOT NULL)`

	insertKey = `INSERT INTO keys (k) VALUES ($1)`
	updateKey = `UPDATE keys SET k = $1 WHERE n = $2 AND substr(k, 1, 16) = $3 AND length(k) = length($1)`
	getKey    = `SELECT k FROM keys WHERE n = $1`
	walkKeys  = `SELECT n, k FROM keys WHERE n > $1 ORDER BY n LIMIT $2`
	maxRow    = `SELECT coalesce(max(n), 0) FROM keys`
)

const readConnections = 4

// OpenKeyring opens the keyring at path and makes it where there is none. The
// keys in it are of the store with that id.
func OpenKeyring(path string, m Master, storeID [16]byte) (*Keyring, error) {
	if err := CreateFile(path); err != nil {
		return nil, saying(err, "The keyring can't be written to %s; check that its directory exists and may be written to.", path)
	}
	// SQLite keeps the WAL beside the file itself, not beside a link to it.
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	// Not opened: closing a descriptor of it would drop SQLite's locks.
	i, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := ownerOnly(path, i); err != nil {
		return nil, err
	}
	k := &Keyring{master: m, storeID: storeID, path: path}
	if err := k.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open keyring: %w", err), k.Close())
	}
	return k, nil
}

func (k *Keyring) open() error {
	var err error
	if k.write, err = OpenPool(k.path, DSNOptions{}, 1); err != nil {
		return err
	}
	if _, err = k.write.Exec(schema); err != nil {
		return err
	}
	if k.truncate, err = OpenPool(k.path, DSNOptions{BusyTimeout: TruncateWait}, 1); err != nil {
		return err
	}
	if k.reads, err = OpenPool(k.path, DSNOptions{QueryOnly: true}, readConnections); err != nil {
		return err
	}
	return k.prepare()
}

func (k *Keyring) prepare() error {
	for _, p := range []struct {
		db    *sql.DB
		stmt  **sql.Stmt
		query string
	}{
		{k.write, &k.insert, insertKey},
		{k.write, &k.update, updateKey},
		{k.reads, &k.get, getKey},
		{k.reads, &k.walk, walkKeys},
		{k.reads, &k.highest, maxRow},
	} {
		var err error
		if *p.stmt, err = p.db.Prepare(p.query); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the keyring's connections.
func (k *Keyring) Close() error {
	var errs []error
	for _, db := range []*sql.DB{k.reads, k.truncate, k.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Make makes n fresh keys in one commit. They are durable when it returns.
func (k *Keyring) Make(ctx context.Context, n int) ([]Key, error) {
	keys := make([]Key, 0, n)
	err := k.commit(ctx, func(tx *sql.Tx) error {
		insert := tx.Stmt(k.insert)
		for range n {
			key, err := k.makeOne(insert)
			if err != nil {
				return err
			}
			keys = append(keys, key)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("make keys: %w", err)
	}
	return keys, nil
}

func (k *Keyring) makeOne(insert *sql.Stmt) (Key, error) {
	r, key := newRow(k.master, k.storeID)
	res, err := insert.Exec(r[:])
	if err != nil {
		return Key{}, err
	}
	n, err := res.LastInsertId()
	if err != nil {
		return Key{}, err
	}
	return newKey(Ref{n, r.id()}, k.storeID, key)
}

// commit runs fn in a transaction. The context ends the wait for the
// connection only: a statement that is broken off may undo more than itself.
func (k *Keyring) commit(ctx context.Context, fn func(*sql.Tx) error) error {
	conn, err := k.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Key returns a key unwrapped. Where it has none the error is [ErrDestroyed],
// [ErrUnknown] or [ErrMaster].
func (k *Keyring) Key(ctx context.Context, ref Ref) (Key, error) {
	r, err := k.row(ctx, ref.Row)
	if err != nil {
		return Key{}, err
	}
	if r == nil || r.id() != ref.ID {
		if ref, r, err = k.search(ctx, ref.ID); err != nil {
			return Key{}, err
		}
	}
	key, err := r.unwrap(k.master, k.storeID)
	if err != nil {
		return Key{}, err
	}
	return newKey(ref, k.storeID, key)
}

// row reads the row of that number; it is nil where there is none.
func (k *Keyring) row(ctx context.Context, n int64) (*row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var b sql.RawBytes
	rows, err := k.get.Query(n) // not under ctx: it is over sooner than a watcher is started
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	if err := rows.Scan(&b); err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	r, err := readRow(n, b)
	return r, errors.Join(err, rows.Close())
}

func readRow(n int64, b []byte) (*row, error) {
	if len(b) != rowSize {
		return nil, fmt.Errorf("keyring: row %d has %d bytes and not %d", n, len(b), rowSize)
	}
	r := row(b)
	return &r, nil
}

// NewWrapped makes a fresh key that the keyring does not keep, wrapped as those
// that it keeps: what is sealed under it can be opened where the keyring is lost.
func (k *Keyring) NewWrapped() []byte {
	r, _ := newRow(k.master, k.storeID)
	return r[:]
}

// OpenWrapped unwraps a key that NewWrapped made. The error is [ErrMaster] where
// it is not of this store and its master key.
func (k *Keyring) OpenWrapped(wrapped []byte) (Key, error) {
	if len(wrapped) != rowSize {
		return Key{}, ErrMaster
	}
	r := row(wrapped)
	key, err := r.unwrap(k.master, k.storeID)
	if err != nil {
		return Key{}, err
	}
	return newKey(Ref{ID: r.id()}, k.storeID, key)
}

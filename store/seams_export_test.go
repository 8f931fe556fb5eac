package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/witness"
)

// Tx is a write of this package, for tests that write what no method does.
type Tx = tx

// Steers tells whether a statement makes look-ups stale.
var Steers = steers

// Exec runs a statement.
func (t *tx) Exec(query string, args ...any) (int64, error) { return t.exec(query, args...) }

// Log adds an entry.
func (t *tx) Log(e erasure.Entry) { t.log(e) }

// Passed is the store time up to which windows have passed.
func (t *tx) Passed() int64 { return t.hb.Passed() }

// Write runs fn as any write of this package.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error { return db.write(ctx, fn) }

// StoreTime reads the store's time.
func (db *DB) StoreTime() erasure.Heartbeat {
	_, hb := db.now()
	return hb
}

// RequestAfter is RequestErasure, with something that happens between its
// preparation and its write.
func (db *DB) RequestAfter(ctx context.Context, n erasure.NewRequest, between func()) (r erasure.Request, err error) {
	asked, err := db.checkNew(ctx, n)
	if err != nil {
		return r, err
	}
	between()
	err = db.write(ctx, func(t *tx) error {
		row, _, err := t.requestErasure(n, asked)
		r = row.Request
		return err
	})
	return r, err
}

// ClaimIDs is ClaimDue, telling which requests it claimed.
func (db *DB) ClaimIDs(ctx context.Context, limit int) (ids []erasure.RequestID, err error) {
	err = db.write(ctx, func(t *tx) error {
		claimed, err := t.claimDue(limit)
		ids = nil
		for _, r := range claimed {
			ids = append(ids, r.id)
		}
		return err
	})
	return ids, err
}

// KeysToDestroy lists the keys that the claims fixed.
func (db *DB) KeysToDestroy(ctx context.Context) (refs []seal.Ref, err error) {
	claimed, err := db.keysToDestroy(ctx, 1000)
	for _, e := range claimed {
		refs = append(refs, e.refs...)
	}
	return refs, err
}

// DestroyOnly destroys keys and records nothing, as a crash in between does.
func (db *DB) DestroyOnly(ctx context.Context, refs []seal.Ref) error {
	if err := db.keyring.Destroy(ctx, refs); err != nil {
		return err
	}
	_, err := db.keyring.Truncate(ctx)
	return err
}

// PrepareRestore leaves a restore as a kill does when it is about to put things in
// place.
func PrepareRestore(ctx context.Context, o Options, r Restore) error {
	o.fill()
	_, err := r.prepare(ctx, o, r.staged(o))
	return err
}

// Together runs jobs in one shared commit: the writer is held until all of
// them are queued.
func (db *DB) Together(t *testing.T, jobs ...func()) {
	t.Helper()
	held, release, answered := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(answered)
		db.writes.do(func(*tx) error { close(held); <-release; return nil })
	}()
	<-held
	done := make(chan struct{})
	for i, j := range jobs {
		go func() { j(); done <- struct{}{} }()
		for len(db.writes.queue) <= i {
			runtime.Gosched()
		}
	}
	close(release)
	<-answered
	for range jobs {
		<-done
	}
}

// Statements lets before run before each statement of the writer, which fails
// with the error that it returns.
func (db *DB) Statements(t *testing.T, before func(c driver.Conn, query string) error) {
	t.Helper()
	inner := db.writes.pool.Driver()
	connector := watched{inner: inner, dsn: seal.DSN(db.options.Dir+"/"+databaseFile, seal.DSNOptions{}), before: before}
	pool := sql.OpenDB(connector)
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db.Together(t) // the loop is idle from here on
	old := db.writes
	w := &writer{db: db, pool: pool, conn: conn, stmts: map[string]statement{}, queue: make(chan *job, db.options.CommitLimit), commits: make(chan commit, commitsAhead)}
	db.writes = w
	if err := old.close(); err != nil {
		t.Fatal(err)
	}
	w.start()
}

// QueryPlan explains a query on the database as it is.
func (db *DB) QueryPlan(t *testing.T, query string) string {
	t.Helper()
	rows, err := db.reads.pool.Query(`EXPLAIN QUERY PLAN `+query, make([]any, strings.Count(query, "$"))...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var plan strings.Builder
	err = eachRow(rows, func(scan func(...any) error) error {
		var id, parent, unused int
		var detail string
		err := scan(&id, &parent, &unused, &detail)
		plan.WriteString(detail + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

// Pools are the connections of the database, by what they are for.
func (db *DB) Pools() (writes *sql.Conn, reads *sql.DB) { return db.writes.conn, db.reads.pool }

// IDs runs a statement that returns requests' ids.
func (t *tx) IDs(query string, args ...any) (ids []erasure.RequestID, err error) {
	err = t.each(func(scan func(...any) error) error {
		var id erasure.RequestID
		err := scan(scan16(&id))
		ids = append(ids, id)
		return err
	}, query, args...)
	return ids, err
}

// DueOf reads the store time that a request is due at.
func (db *DB) DueOf(t *testing.T, id erasure.RequestID) int64 {
	t.Helper()
	r, err := db.readRequest(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.due
}

// KeyError says what has become of a key.
func (db *DB) KeyError(t *testing.T, ref seal.Ref) error {
	t.Helper()
	_, err := db.keyring.Key(context.Background(), ref)
	return err
}

// DestroyedKeys counts the keys of the keyring that are destroyed.
func (db *DB) DestroyedKeys(t *testing.T) int {
	t.Helper()
	_, destroyed, err := db.keyring.Count(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return destroyed
}

// QueueBulkAfter queues the first chunk of a list, with something that happens
// between its preparation and its write.
func (db *DB) QueueBulkAfter(ctx context.Context, id erasure.BatchID, between func()) error {
	b, err := db.readBulk(ctx, id)
	if err != nil {
		return err
	}
	each, err := db.eachOf(ctx, b)
	if err != nil {
		return err
	}
	c, err := db.prepareChunk(ctx, b, 0)
	if err != nil {
		return err
	}
	between()
	_, err = db.queueChunk(ctx, id, each, c)
	return err
}

// HoldTurn keeps every list waiting for its turn.
func (db *DB) HoldTurn() (release func()) {
	db.bulkTurn <- struct{}{}
	return func() { <-db.bulkTurn }
}

// PretendDisk lets the disk have so many free blocks of 4 KiB, of a
// million.
func (db *DB) PretendDisk(free uint64) {
	db.statfs = func(_ string, disk *unix.Statfs_t) error {
		disk.Bsize, disk.Blocks, disk.Bavail = 4096, 1_000_000, free
		return nil
	}
}

// InTurn works as on a chunk of a list.
func (db *DB) InTurn(ctx context.Context, work func() error) error { return db.inTurn(ctx, work) }

// Pretend lets a spool have taken so many lines.
func (s *Spool) Pretend(lines int) { s.lines = lines }

// AskedFor reads what the witness keeps of open requests.
func (db *DB) AskedFor(t *testing.T) map[erasure.RequestID]askedFor {
	t.Helper()
	all := map[erasure.RequestID]askedFor{}
	err := db.witness.Requests(func(q witness.Request) error {
		a, err := db.openAskedFor(q)
		all[q.ID] = a
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

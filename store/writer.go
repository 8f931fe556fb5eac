package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
)

// writer is the one connection that writes. Writes queue on it; those that
// wait while a commit is under way share the next one.
type writer struct {
	db    *DB
	pool  *sql.DB
	conn  *sql.Conn
	stmts map[string]statement

	version atomic.Int64 // see [tx.unchangedSince]
	others  int64        // the last data_version

	queue   chan *job
	commits chan commit // to be answered
	told    []testimony // of the group under way
	done    sync.WaitGroup
	closing sync.RWMutex // held for reading while a job is put in the queue
	closed  bool
}

type job struct {
	run  func(*tx) error
	err  error
	done chan struct{}
}

var errClosed = errors.New("the store is closed")

func openWriter(ctx context.Context, path string, db *DB) (*writer, error) {
	pool, err := openWrites(path)
	if err != nil {
		return nil, err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	w := &writer{
		db: db, pool: pool, conn: conn, stmts: map[string]statement{},
		queue: make(chan *job, db.options.CommitLimit), commits: make(chan commit, commitsAhead),
	}
	if err := conn.QueryRowContext(ctx, otherWritersQuery).Scan(&w.others); err != nil {
		return nil, errors.Join(err, conn.Close(), pool.Close())
	}
	return w, nil
}

// alone runs a write before the loop has started.
func (w *writer) alone(fn func(*tx) error) error {
	j := &job{run: fn}
	return errors.Join(w.try([]*job{j}, w.run), j.err)
}

func (w *writer) start() {
	w.done.Go(w.loop)
	w.done.Go(w.answer)
}

func (w *writer) do(fn func(*tx) error) error {
	j := &job{run: fn, done: make(chan struct{})}
	if !w.enqueue(j) {
		return errClosed
	}
	<-j.done
	return j.err
}

func (w *writer) enqueue(j *job) bool {
	w.closing.RLock()
	defer w.closing.RUnlock()
	if w.closed {
		return false
	}
	w.queue <- j
	return true
}

func (w *writer) loop() {
	defer close(w.commits)
	for first := range w.queue {
		w.commit(w.gather(first))
	}
}

func (w *writer) gather(first *job) []*job {
	group := []*job{first}
	for len(group) < w.db.options.CommitLimit {
		select {
		case j, ok := <-w.queue:
			if !ok {
				return group
			}
			group = append(group, j)
		default:
			return group
		}
	}
	return group
}

// commit commits a group, unless the witness still lacks an earlier one, and
// hands it on to be answered.
func (w *writer) commit(group []*job) {
	w.told = nil
	if err := w.db.writeWitness(nil); err != nil {
		for _, j := range group {
			j.err = err
		}
	} else {
		w.tryAll(group)
	}
	w.commits <- commit{group, w.told}
}

// statement runs one without parameters. A client that goes away must not
// interrupt it, for that rolls the whole transaction back.
func (w *writer) statement(query string) error {
	s, err := w.prepare(query)
	if err != nil {
		return err
	}
	_, err = s.Exec()
	return err
}

func (w *writer) prepare(query string) (statement, error) {
	if s, ok := w.stmts[query]; ok {
		return s, nil
	}
	stmt, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return statement{}, err
	}
	reads := strings.HasPrefix(query, "SELECT ")
	s := statement{Stmt: stmt, reads: reads, steers: !reads && steers(query)}
	w.stmts[query] = s
	return s, nil
}

func (w *writer) close() error {
	w.closing.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.closing.Unlock()
	w.done.Wait()
	var errs []error
	for _, s := range w.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close(), w.pool.Close())...)
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
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

// errLost says that SQLite gave the transaction up: nothing of it is kept,
// released savepoints included.
var errLost = errors.New("the transaction was lost")

// errNotBegun says that the transaction did not begin, so that no job is to
// blame and none would fare better alone.
var errNotBegun = errors.New("beginning a write")

// errSpoilt says that a write failed and left rows behind among those of
// others, so that the transaction must not be committed.
var errSpoilt = errors.New("a failed write left rows in a shared transaction")

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

// tryAll runs a group in one transaction. Few writes fail, and most of those
// before they wrote; so each has a savepoint only when a first try was spoilt.
// Where the transaction is lost, the jobs run again one by one, so that one of
// them cannot spoil the others.
func (w *writer) tryAll(group []*job) {
	err := w.try(group, w.run)
	if errors.Is(err, errSpoilt) {
		err = w.try(group, w.runInSavepoint)
	}
	if errors.Is(err, errNotBegun) {
		for _, j := range group {
			j.err = err
		}
	} else if err != nil && len(group) > 1 {
		for i := range group {
			if err := w.try(group[i:i+1], w.run); err != nil {
				group[i].err = err
			}
		}
	} else if err != nil {
		group[0].err = err
	}
}

// try commits a group with its log entries. On an error nothing is kept.
func (w *writer) try(group []*job, run func(*tx, *job) (spoilt bool, err error)) error {
	if err := w.statement("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("%w: %w", errNotBegun, err)
	}
	t := newTx(w)
	kept, spoilt := 0, false
	var err error
	for i := 0; i < len(group) && err == nil; i++ {
		var left bool
		left, err = run(t, group[i])
		spoilt = spoilt || left
		if group[i].err == nil {
			kept++
			t.changed = t.changed || t.steered
		}
	}
	if err == nil && kept == 0 {
		return w.abandon()
	}
	if err == nil && spoilt {
		err = errSpoilt
	}
	var told testimony
	if err == nil {
		told, err = t.finish()
	}
	if err == nil {
		w.db.witness.unseen.add(told.ended) // before anybody can read that they have
		if err = w.statement("COMMIT"); err != nil {
			w.db.witness.unseen.remove(told.ended)
		}
	}
	if err != nil {
		return errors.Join(err, w.abandon())
	}
	if n := len(told.entries); n > 0 {
		w.db.witness.logged.Store(told.first + int64(n))
	}
	if !told.empty() {
		w.told = append(w.told, told)
	}
	if t.changed {
		w.version.Add(1)
	}
	return nil
}

// run runs a job. It is spoilt where it failed and left rows behind; an error
// says that the transaction is lost.
func (w *writer) run(t *tx, j *job) (spoilt bool, err error) {
	mark := t.mark()
	j.err = runJob(t, j)
	if j.err == nil {
		return false, nil
	}
	spoilt = t.wrote
	t.reset(mark)
	if open, err := w.inTransaction(); err != nil || !open {
		return false, errors.Join(errLost, err, j.err)
	}
	return spoilt, nil
}

// runInSavepoint runs a job that is never spoilt.
func (w *writer) runInSavepoint(t *tx, j *job) (spoilt bool, err error) {
	if err := w.statement("SAVEPOINT write"); err != nil {
		return false, err
	}
	if _, err := w.run(t, j); err != nil {
		return false, err
	}
	if j.err != nil {
		if err := w.statement("ROLLBACK TO write"); err != nil {
			return false, errors.Join(errLost, err, j.err)
		}
	}
	if err := w.statement("RELEASE write"); err != nil {
		return false, errors.Join(errLost, err, j.err)
	}
	return false, nil
}

func runJob(t *tx, j *job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	if err := j.run(t); err != nil {
		return err
	}
	return t.err // a statement's error that the job did not return
}

// panicked keeps a panic's stack, for the log. Its value is kept only where
// the runtime made it: any other may hold somebody's data.
func panicked(p any) error {
	if e, ok := p.(runtime.Error); ok {
		return fmt.Errorf("panic: %w\n%s", e, debug.Stack())
	}
	return fmt.Errorf("panic of type %T\n%s", p, debug.Stack())
}

// abandon leaves no transaction open. After some errors SQLite has rolled back
// by itself, and another ROLLBACK would be an error of its own.
func (w *writer) abandon() error {
	open, err := w.inTransaction()
	if err != nil || !open {
		return err
	}
	return w.statement("ROLLBACK")
}

func (w *writer) inTransaction() (open bool, err error) {
	err = w.conn.Raw(func(c any) error {
		open = !c.(interface{ AutoCommit() bool }).AutoCommit()
		return nil
	})
	return open, err
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

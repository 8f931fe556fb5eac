package store

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// errLost says that SQLite gave the transaction up: nothing of it is kept,
// released savepoints included.
var errLost = errors.New("the transaction was lost")

// errNotBegun says that the transaction did not begin, so that no job is to
// blame and none would fare better alone.
var errNotBegun = errors.New("beginning a write")

// errSpoilt says that a write failed and left rows behind among those of
// others, so that the transaction must not be committed.
var errSpoilt = errors.New("a failed write left rows in a shared transaction")

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
	w.db.turns.take()
	defer w.db.turns.end()
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

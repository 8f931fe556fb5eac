package witness

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/store/erasure"
)

// Update is a change of a witness under way, while no other program makes one.
type Update struct{ w *Witness }

// Suppression is one as a witness keeps it.
type Suppression struct {
	MAC       string `json:"mac"` // the fingerprint, in hex
	Table     string `json:"table,omitempty"`
	Key       string `json:"key,omitempty"`
	Request   string `json:"request,omitempty"`
	CreatedAt int64  `json:"created_at,omitempty"` // wall clock, in ms
	Expires   int64  `json:"expires,omitempty"`    // by the store's time, in ms
	Lifted    bool   `json:"lifted,omitempty"`     // from here on it is none any more
}

// Update runs fn with what other programs wrote before it. What fn wrote is
// durable when it returns. After an error, fn is to be run again: what may be
// left of it is found then.
func (w *Witness) Update(fn func(*Update) error) (err error) {
	w.writing.Lock()
	defer w.writing.Unlock()
	if err := flock(w.lock, unix.LOCK_EX); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, flock(w.lock, unix.LOCK_UN)) }()
	if err = w.refresh(); err == nil {
		if err = fn(&Update{w}); err == nil {
			err = w.sync()
		}
	}
	if err == nil {
		return w.requests.finish(w.disk)
	}
	for _, l := range []*lines{&w.log, &w.heads, &w.suppressions} {
		l.takeBack()
	}
	w.requests.takeBack()
	return err
}

// refresh takes notice of what other programs wrote.
func (w *Witness) refresh() error {
	for _, l := range []struct {
		*lines
		last func(line []byte) error
	}{
		{&w.log, w.lastEntry},
		{&w.heads, w.lastHead},
		{&w.suppressions, nil},
	} {
		size := l.size
		anew, err := l.refresh()
		if err != nil {
			return err
		}
		if l.last == nil || !anew && l.size == size {
			continue
		}
		line, err := l.lines.last()
		if err == nil {
			err = l.last(line)
		}
		if err != nil {
			return damaged(l.path, l.size-int64(len(line))-1, err)
		}
	}
	return w.requests.refresh(w.disk)
}

func (w *Witness) lastEntry(line []byte) (err error) {
	w.next = 0
	if line != nil {
		w.next, err = entryIndex(line)
		w.next++
	}
	return err
}

func (w *Witness) lastHead(line []byte) (err error) {
	w.head, w.headSize = "", 0
	if line != nil {
		w.head, w.headSize, err = readHead(line)
	}
	return err
}

func readHead(line []byte) (signed string, size int64, err error) {
	var h struct {
		Checkpoint string `json:"checkpoint"`
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return "", 0, errForm
	}
	text := strings.Split(h.Checkpoint, "\n") // origin, size, root
	if len(text) < 3 {
		return "", 0, errForm
	}
	size, err = strconv.ParseInt(text[1], 10, 64)
	return h.Checkpoint, size, err
}

func entryIndex(line []byte) (int64, error) {
	var e struct {
		Index *int64 `json:"index"`
	}
	if err := json.Unmarshal(line, &e); err != nil || e.Index == nil {
		return 0, errForm
	}
	return *e.Index, nil
}

// sync makes what was written durable, each file beside the others.
func (w *Witness) sync() error {
	var all sync.WaitGroup
	errs := make([]error, len(w.files()))
	for i, l := range w.files() {
		if l.dirty {
			all.Go(func() { errs[i] = w.disk.sync(l.f) })
		}
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, l := range w.files() {
		l.dirty = false
	}
	return nil
}

// Next is the index that the next entry has.
func (u *Update) Next() int64 { return u.w.next }

// Append writes the next entries, each a line with its end.
func (u *Update) Append(entries []byte, n int) error {
	if err := u.w.log.append(u.w.disk, entries); err != nil {
		return fmt.Errorf("writing %d entries: %w", n, err)
	}
	u.w.next += int64(n)
	return nil
}

// Head is the newest signed head, "" where there is none.
func (u *Update) Head() string { return u.w.head }

// SetHead writes the line of a signed head of so many entries, unless there is
// one of as many.
func (u *Update) SetHead(size int64, signed string, line []byte) error {
	if u.w.head != "" && size <= u.w.headSize {
		return nil
	}
	err := u.w.heads.append(u.w.disk, line)
	if err == nil {
		u.w.head, u.w.headSize = signed, size
	}
	return err
}

// Put writes open requests, in the place of what was kept of them.
func (u *Update) Put(all []Request) error { return u.w.requests.put(u.w.disk, all) }

// End removes the requests that have ended.
func (u *Update) End(ids []erasure.RequestID) {
	for _, id := range ids {
		u.w.requests.end(id)
	}
}

// Compact writes the file of the requests anew where it is mostly blank.
func (u *Update) Compact() { u.w.requests.shrink = true }

// Suppress adds to the suppressions.
func (u *Update) Suppress(all []Suppression) error {
	var b []byte
	for _, s := range all {
		line, err := json.Marshal(s)
		if err != nil {
			return err
		}
		b = append(append(b, line...), '\n')
	}
	return u.w.suppressions.append(u.w.disk, b)
}

// ReplaceSuppressions writes those that fill gives in the place of all others.
func (u *Update) ReplaceSuppressions(fill func(write func(Suppression) error) error) error {
	return u.w.suppressions.replace(u.w.disk, func(write func([]byte) error) error {
		return fill(func(s Suppression) error {
			line, err := json.Marshal(s)
			if err != nil {
				return err
			}
			return write(line)
		})
	})
}

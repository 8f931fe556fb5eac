// Package storetest opens real stores for tests, on a clock that the test
// moves, and holds what every store does: [Conformance].
package storetest

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// Start is the wall-clock time that a test's clock begins at.
var Start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// Clock is a clock that moves only when told.
type Clock struct {
	mu sync.Mutex
	at erasure.Reading
}

// NewClock returns a clock at [Start], an hour after boot.
func NewClock() *Clock {
	return &Clock{at: erasure.Reading{Boot: "boot-1", Boottime: time.Hour, Wall: Start}}
}

// Now implements [erasure.Clock].
func (c *Clock) Now() erasure.Reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Advance lets time pass on both clocks.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at.Boottime += d
	c.at.Wall = c.at.Wall.Add(d)
}

// SetWall sets the wall clock, as an administrator or NTP would.
func (c *Clock) SetWall(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at.Wall = t
}

// Reboot begins a new boot, with the wall clock moved by d.
func (c *Clock) Reboot(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at.Boot += "+"
	c.at.Boottime = 0
	c.at.Wall = c.at.Wall.Add(d)
}

// Open opens a new store in a temporary directory, on a [Clock] unless told
// otherwise, and closes it with the test.
func Open(t testing.TB, configure ...func(*store.Options)) *store.DB {
	t.Helper()
	o := store.Options{Dir: filepath.Join(t.TempDir(), "data"), Clock: NewClock()}
	for _, c := range configure {
		c(&o)
	}
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("opening a store: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return db
}

// WithClock gives the store a clock that the test keeps.
func WithClock(c *Clock) func(*store.Options) {
	return func(o *store.Options) { o.Clock = c }
}

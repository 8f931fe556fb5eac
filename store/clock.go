package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/store/erasure"
)

// SystemClock is the machine's clock.
type SystemClock struct{}

var bootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "" // then every start counts as within one boot, which delays and never hastens
	}
	return strings.TrimSpace(string(b))
})

// Now reads the boot clock before the wall clock.
func (SystemClock) Now() erasure.Reading {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("reading CLOCK_BOOTTIME: %v", err)) // Linux has it since 2.6.39
	}
	return erasure.Reading{Boot: bootID(), Boottime: time.Duration(ts.Nano()), Wall: time.Now()}
}

// now reads the clock once: the wall clock and the store's time.
func (db *DB) now() (time.Time, erasure.Heartbeat) {
	db.beat.Lock()
	defer db.beat.Unlock()
	// Read under the lock: a reading that was overtaken would set the
	// boot clock back, and the next one would count the same time twice.
	r := db.options.Clock.Now()
	db.since = db.since.Beat(r)
	return r.Wall, db.since
}

// Held returns for how long claims still wait because a reboot moved the
// clock by more than [erasure.JumpLimit].
func (db *DB) Held() time.Duration {
	_, hb := db.now()
	return hb.Held()
}

// startClock carries the store's time over from the last heartbeat. It runs
// before the writer's loop, in a transaction of its own, so that two programs
// that start after a reboot agree.
func (db *DB) startClock(ctx context.Context) error {
	return db.writes.alone(func(t *tx) error {
		r := db.options.Clock.Now()
		last, err := t.readHeartbeat()
		if errors.Is(err, sql.ErrNoRows) {
			last = erasure.Heartbeat{Boot: r.Boot, Boottime: r.Boottime.Milliseconds()}
		} else if err != nil {
			return fmt.Errorf("reading the heartbeat: %w", err)
		}
		db.since = last.Beat(r)
		t.now, t.hb = r.Wall, db.since
		return nil
	})
}

// Beat notes the store's time, for a reboot to go on from. Each commit notes
// it too.
func (db *DB) Beat(ctx context.Context) error {
	return db.write(ctx, func(*tx) error { return nil })
}

func (t *tx) readHeartbeat() (h erasure.Heartbeat, err error) {
	err = t.row(`SELECT boot, boottime, wall, store, hold_from, hold_until FROM heartbeat`).
		Scan(&h.Boot, &h.Boottime, &h.Wall, &h.Store, &h.HoldFrom, &h.HoldUntil)
	return h, err
}

func (t *tx) writeHeartbeat() error {
	_, err := t.exec(`INSERT INTO heartbeat (id, boot, boottime, wall, store, hold_from, hold_until)
		VALUES (1, $1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, boottime = excluded.boottime, wall = excluded.wall,
			store = excluded.store, hold_from = excluded.hold_from, hold_until = excluded.hold_until
		WHERE excluded.store >= heartbeat.store`,
		t.hb.Boot, t.hb.Boottime, t.hb.Wall, t.hb.Store, t.hb.HoldFrom, t.hb.HoldUntil)
	return err
}

package erasure

import "time"

// Clock is the one source of time. Its readings are of one instant.
type Clock interface {
	Now() Reading
}

// Reading is what a clock shows at one instant.
type Reading struct {
	Boot     string        // the machine's boot id
	Boottime time.Duration // CLOCK_BOOTTIME: since boot, suspend included
	Wall     time.Time
}

// Heartbeat ties the store's own time, which only grows, to the machine's
// clocks. Times are in milliseconds: Store since the store was made, Wall
// since 1970, Boottime since boot.
type Heartbeat struct {
	Boot     string
	Boottime int64
	Wall     int64
	Store    int64
	// HoldFrom and HoldUntil are store times. Between them the window of no
	// further request passes: a reboot moved the time by more than an hour.
	HoldFrom, HoldUntil int64
}

// A reboot over which the wall clock moved by more than JumpLimit makes claims
// wait for JumpHold, so that staff can see a wrong clock before it erases.
const (
	JumpLimit = time.Hour
	JumpHold  = 15 * time.Minute
)

// Beat carries the heartbeat to the reading. Within one boot the store's time
// advances by CLOCK_BOOTTIME alone, whatever the wall clock does. Over a
// reboot it advances by the wall clock's distance, by nothing where that is
// negative.
func (h Heartbeat) Beat(r Reading) Heartbeat {
	next := h
	next.Boot, next.Boottime, next.Wall = r.Boot, r.Boottime.Milliseconds(), r.Wall.UnixMilli()
	if h.Boot == r.Boot {
		next.Store += max(0, next.Boottime-h.Boottime)
		return next
	}
	passed := max(0, next.Wall-h.Wall)
	next.Store += passed
	if passed > JumpLimit.Milliseconds() {
		next.HoldFrom = h.Passed()
		next.HoldUntil = next.Store + JumpHold.Milliseconds()
	}
	return next
}

// Passed returns the store time up to which windows have passed: a request
// due at or before it may be claimed, and one due after it may be cancelled.
// Claim and cancel both ask this, so one of them is always refused.
func (h Heartbeat) Passed() int64 {
	if h.Store < h.HoldUntil {
		return h.HoldFrom
	}
	return h.Store
}

// Held returns for how long claims still wait because of a clock that jumped
// over a reboot.
func (h Heartbeat) Held() time.Duration {
	return time.Duration(max(0, h.HoldUntil-h.Store)) * time.Millisecond
}

package erasure_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// simulated is a machine whose clocks do what clocks do, and the store's time
// as "The clock" in docs/architecture.md words it, kept beside it by other means.
type simulated struct {
	r        *rand.Rand
	at       erasure.Reading
	beat     erasure.Heartbeat
	store    int64 // the store's time by the words
	held     int64 // claims of what was not due before a reboot wait until here
	overdue  int64 // and this was due before it
	lastWall int64 // of the last heartbeat
}

func newSimulated(seed uint64) *simulated {
	r := rand.New(rand.NewPCG(seed, 4))
	s := &simulated{r: r, at: erasure.Reading{Boot: "a", Boottime: time.Duration(r.Int64N(1e15)), Wall: storetest.Start}}
	s.beat = erasure.Heartbeat{Boot: "a", Boottime: s.at.Boottime.Milliseconds()}.Beat(s.at)
	s.lastWall = s.at.Wall.UnixMilli()
	return s
}

// step lets something happen, and then a heartbeat.
func (s *simulated) step() {
	span := time.Duration(s.r.Int64N(int64(3 * time.Hour)))
	switch s.r.IntN(8) {
	case 0: // the wall clock is set, forward or back, by up to a year
		s.at.Wall = s.at.Wall.Add(time.Duration(s.r.Int64N(int64(2*8760*time.Hour)) - int64(8760*time.Hour)))
		s.run(0, 0)
	case 1: // the wall clock stands, or runs wrong
		s.run(span, span*time.Duration(s.r.IntN(3))/2)
	case 2: // nothing moves
		s.run(0, 0)
	case 3, 4:
		s.reboot(span / 6)
	case 5:
		s.reboot(time.Duration(s.r.Int64N(int64(200*time.Hour)) - int64(100*time.Hour)))
	default:
		s.run(span, span)
	}
}

func (s *simulated) run(boot, wall time.Duration) {
	before := s.at.Boottime.Milliseconds()
	s.at.Boottime += boot
	s.at.Wall = s.at.Wall.Add(wall)
	s.store += s.at.Boottime.Milliseconds() - before
	s.note()
}

func (s *simulated) reboot(wall time.Duration) {
	s.at.Boot += "+"
	s.at.Boottime = time.Duration(s.r.Int64N(int64(time.Minute)))
	s.at.Wall = s.at.Wall.Add(wall)
	if passed := s.at.Wall.UnixMilli() - s.lastWall; passed > 0 {
		if passed > time.Hour.Milliseconds() {
			if s.store >= s.held { // else it was held already, from what was due before that
				s.overdue = s.store
			}
			s.held = s.store + passed + (15 * time.Minute).Milliseconds()
		}
		s.store += passed
	}
	s.note()
}

func (s *simulated) note() {
	s.beat = s.beat.Beat(s.at)
	s.lastWall = s.at.Wall.UnixMilli()
}

func (s *simulated) due(due int64) bool {
	return due <= s.store && (s.store >= s.held || due <= s.overdue)
}

// I4: whatever the clocks do, no window has passed early by the store's time,
// and each passes once they run.
func TestNoClockErasesEarlyOrNever(t *testing.T) {
	const day = 24 * 60 * 60 * 1000
	for seed := range uint64(storetest.Scale(t, 10_000)) {
		s := newSimulated(seed)
		var dues []int64
		last := s.beat
		for range 60 {
			s.step()
			dues = append(dues, s.beat.Store+s.r.Int64N(2*day))
			if s.beat.Store != s.store || s.beat.Store < last.Store || s.beat.Passed() < last.Passed() {
				t.Fatalf("seed %d: the store's time is %d after %d, and %d by the rules", seed, s.beat.Store, last.Store, s.store)
			}
			for _, due := range dues {
				if passed := due <= s.beat.Passed(); passed != s.due(due) || passed && due > s.beat.Store {
					t.Fatalf("seed %d: at %d, %v held, the window until %d has passed: %v", seed, s.store, s.beat.Held(), due, passed)
				}
			}
			if s.beat.Held() > erasure.JumpHold {
				t.Fatalf("seed %d: claims are held for %v", seed, s.beat.Held())
			}
			last = s.beat
		}
		s.run(48*time.Hour+erasure.JumpHold, 0)
		for _, due := range dues {
			if due > s.beat.Passed() {
				t.Fatalf("seed %d: the window until %d has not passed at %d", seed, due, s.store)
			}
		}
	}
}

func TestClaimsWaitAfterALongReboot(t *testing.T) {
	s := newSimulated(1)
	for _, c := range []struct {
		gap  time.Duration
		held time.Duration
	}{{time.Hour, 0}, {-48 * time.Hour, 0}, {time.Hour + time.Millisecond, erasure.JumpHold}} {
		s.reboot(c.gap)
		if s.beat.Held() != c.held {
			t.Errorf("a reboot of %v holds claims for %v, not %v", c.gap, s.beat.Held(), c.held)
		}
	}
	s.run(erasure.JumpHold-time.Millisecond, 0)
	if s.beat.Held() != time.Millisecond || s.beat.Passed() == s.beat.Store {
		t.Errorf("a millisecond before its end, the hold lasts %v", s.beat.Held())
	}
	s.run(time.Millisecond, 0)
	if s.beat.Held() != 0 || s.beat.Passed() != s.beat.Store {
		t.Errorf("at its end, the hold lasts %v", s.beat.Held())
	}
}

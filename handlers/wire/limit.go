package wire

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/efface/efface/store/erasure"
)

// Limiter bounds what one API key, or one account, may ask for: requests a
// second, with one second's worth in a burst, and requests at once. Only those
// that exist reach it, so it holds as many as there are.
type Limiter struct {
	perSecond float64 // 0 is any number
	atOnce    int     // 0 is any number

	mu   sync.Mutex
	used map[any]*usage // by whose it is
}

type usage struct {
	rate    *rate.Limiter
	running int
}

// NewLimiter makes a limiter that counts for each on its own; 0 is no limit.
func NewLimiter(perSecond float64, atOnce int) *Limiter {
	return &Limiter{perSecond: perSecond, atOnce: atOnce, used: map[any]*usage{}}
}

// Enter counts a request until leave is called. whose is a key's id or an
// account's. Its error is an [erasure.Limited].
func (l *Limiter) Enter(whose any) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.used[whose]
	if u == nil {
		u = &usage{rate: l.newRate()}
		l.used[whose] = u
	}
	if l.atOnce > 0 && u.running >= l.atOnce {
		return nil, &erasure.Limited{Wait: time.Second}
	}
	if wait := waitFor(u.rate, time.Now()); wait > 0 {
		return nil, &erasure.Limited{Wait: wait}
	}
	u.running++
	return sync.OnceFunc(func() { l.leave(u) }), nil
}

func (l *Limiter) leave(u *usage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u.running--
}

func (l *Limiter) newRate() *rate.Limiter {
	if l.perSecond <= 0 {
		return rate.NewLimiter(rate.Inf, 1)
	}
	return rate.NewLimiter(rate.Limit(l.perSecond), max(1, int(math.Ceil(l.perSecond))))
}

// waitFor takes one from the rate, or tells after how long there will be one.
func waitFor(r *rate.Limiter, now time.Time) time.Duration {
	taken := r.ReserveN(now, 1)
	wait := taken.DelayFrom(now)
	if wait > 0 {
		taken.CancelAt(now)
	}
	return wait
}

package seal

import (
	"context"
	"errors"
	"sync"
	"time"
)

// KeyLife is how long a key made ahead may wait to be used. The daily sweep
// destroys keys that nothing names, and counts on it.
const KeyLife = time.Hour

// ErrPoolClosed is what Take gives after Close.
var ErrPoolClosed = errors.New("seal: the pool of keys is closed")

// Pool holds keys made ahead, so that nobody waits for the disk to get one.
// Keys that are given up, or left at the end, are the sweep's.
type Pool struct {
	keyring  *Keyring
	size     int
	boottime func() time.Duration
	stop     context.CancelFunc
	stopped  chan struct{}
	wake     chan struct{} // holds one sign that keys are wanted

	mu     sync.Mutex
	ready  []batch // oldest first
	count  int     // of the keys in ready
	target int     // how many a filling aims at, up to size
	round  *round
	closed bool
}

// batch is keys of one age: boottime read before they were made.
type batch struct {
	at   time.Duration
	keys []Key
}

// round is one filling, for those who wait for it.
type round struct {
	done chan struct{}
	err  error
}

// firstFill is how many keys the first Take makes. Each filling after it aims
// at twice as many, until keys are given up: rows of the keyring stay for
// ever, so a program that needs one key should not make thousands.
const firstFill = 16

// NewPool starts a pool of up to size keys, empty until the first Take. It
// tells their age by boottime, the time since boot, suspend included. Close it
// before the keyring.
func (k *Keyring) NewPool(size int, boottime func() time.Duration) *Pool {
	ctx, stop := context.WithCancel(context.Background())
	p := &Pool{
		keyring: k, size: size, boottime: boottime, stop: stop,
		stopped: make(chan struct{}), wake: make(chan struct{}, 1), round: newRound(), target: min(size, firstFill),
	}
	go p.run(ctx)
	return p
}

func newRound() *round { return &round{done: make(chan struct{})} }

// Close ends the pool's work and waits for it.
func (p *Pool) Close() error {
	p.stop()
	<-p.stopped
	return nil
}

// Take hands out a key that nobody else has or gets, and waits only where
// none is ready.
func (p *Pool) Take(ctx context.Context) (Key, error) {
	for {
		key, ok, next := p.pop()
		if ok {
			return key, nil
		}
		select {
		case <-ctx.Done():
			return Key{}, ctx.Err()
		case <-next.done:
			if next.err != nil {
				return Key{}, next.err
			}
		}
	}
}

// pop takes the oldest key that is young enough; else next is the filling to
// wait for. At half of what it aims at the pool is filled again.
func (p *Pool) pop() (key Key, ok bool, next *round) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.giveUp()
	if p.count > 0 && !p.closed {
		oldest := &p.ready[0]
		key, oldest.keys = oldest.keys[0], oldest.keys[1:]
		if len(oldest.keys) == 0 {
			p.ready = p.ready[1:]
		}
		p.count--
		ok = true
	}
	if p.count <= p.target/2 {
		p.want()
	}
	return key, ok, p.round
}

// giveUp forgets the keys whose life has passed, and aims at few again.
func (p *Pool) giveUp() {
	now := p.boottime()
	for len(p.ready) > 0 && now-p.ready[0].at >= KeyLife {
		p.target = min(p.size, firstFill)
		p.count -= len(p.ready[0].keys)
		p.ready = p.ready[1:]
	}
}

func (p *Pool) want() {
	select {
	case p.wake <- struct{}{}:
	default: // it is told already
	}
}

func (p *Pool) run(ctx context.Context) {
	defer close(p.stopped)
	for {
		select {
		case <-ctx.Done():
			p.finish()
			return
		case <-p.wake:
			p.fill(ctx)
		}
	}
}

func (p *Pool) fill(ctx context.Context) {
	n := p.missing()
	if n <= 0 {
		return
	}
	at := p.boottime()
	keys, err := p.keyring.Make(ctx, n)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.target = min(p.size, 2*p.target)
		p.ready = append(p.ready, batch{at, keys})
		p.count += len(keys)
	}
	p.endRound(err)
}

func (p *Pool) missing() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.giveUp()
	return p.target - p.count
}

func (p *Pool) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.endRound(ErrPoolClosed)
}

func (p *Pool) endRound(err error) {
	p.round.err = err
	close(p.round.done)
	if !p.closed {
		p.round = newRound()
	}
}

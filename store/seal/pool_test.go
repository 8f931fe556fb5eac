package seal_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/efface/efface/store/seal"
)

// bootClock is a clock that stands until it is moved.
type bootClock struct{ at atomic.Int64 }

func (c *bootClock) now() time.Duration   { return time.Duration(c.at.Load()) }
func (c *bootClock) move(d time.Duration) { c.at.Add(int64(d)) }

func newPool(t testing.TB, k *seal.Keyring, size int, c *bootClock) *seal.Pool {
	t.Helper()
	p := k.NewPool(size, c.now)
	t.Cleanup(func() { p.Close() })
	return p
}

func take(t testing.TB, p *seal.Pool) seal.Key {
	t.Helper()
	k, err := p.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestPoolHandsOutEachKeyOnce(t *testing.T) {
	k := newKeyring(t)
	p := newPool(t, k, 64, new(bootClock))
	const takers, each = 8, 200
	taken := make([][]seal.Key, takers)
	var wg sync.WaitGroup
	for i := range takers {
		wg.Go(func() {
			for range each {
				key, err := p.Take(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				taken[i] = append(taken[i], key)
			}
		})
	}
	wg.Wait()
	seen := map[seal.Ref]bool{}
	for _, keys := range taken {
		for _, key := range keys {
			if seen[key.Ref] {
				t.Fatal("a key was handed out twice")
			}
			seen[key.Ref] = true
			if _, err := k.Key(t.Context(), key.Ref); err != nil {
				t.Fatal("a key that is not durable was handed out:", err)
			}
		}
	}
	if len(seen) != takers*each {
		t.Errorf("%d keys", len(seen))
	}
}

func TestPoolGivesUpKeysAfterAnHour(t *testing.T) {
	k := newKeyring(t)
	clock := new(bootClock)
	p := newPool(t, k, 8, clock)
	old := take(t, p).Ref.Row
	clock.move(seal.KeyLife - 1)
	if row := take(t, p).Ref.Row; row != old+1 {
		t.Errorf("row %d was taken in place of %d", row, old+1)
	}
	clock.move(1)
	if row := take(t, p).Ref.Row; row <= old+7 {
		t.Errorf("row %d was taken, which is an hour old", row)
	}
}

func TestPoolSaysWhyThereIsNoKey(t *testing.T) {
	k := newKeyring(t)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	p := newPool(t, k, 8, new(bootClock))
	for range 2 { // the second one asks for keys anew
		if _, err := p.Take(t.Context()); err == nil {
			t.Error("a key came from a closed keyring")
		}
	}
}

func TestClosedPoolGivesNoKey(t *testing.T) {
	p := newKeyring(t).NewPool(8, new(bootClock).now)
	take(t, p)
	for range 2 {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Take(t.Context()); !errors.Is(err, seal.ErrPoolClosed) {
			t.Errorf("Take = %v", err)
		}
	}
}

func TestTakeEndsWithItsContext(t *testing.T) {
	k := newKeyring(t)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	p := k.NewPool(0, new(bootClock).now) // never filled
	defer p.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Take(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Take = %v", err)
	}
}

func TestPoolMakesFewKeysForOneThatIsTaken(t *testing.T) {
	k := newKeyring(t)
	p := newPool(t, k, 2048, new(bootClock))
	take(t, p)
	if rows, err := k.MaxRow(t.Context()); err != nil || rows > 64 {
		t.Errorf("one key taken left %d rows in the keyring for ever, %v", rows, err)
	}
}

package storetest

import (
	"testing"
	"time"
)

// LongEnough is what a loaded machine may take for anything.
const LongEnough = 2 * time.Minute

// Eventually waits until a condition holds that another goroutine or process
// brings about.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	limit := time.After(LongEnough)
	for !holds() {
		select {
		case <-look.C:
		case <-limit:
			t.Fatalf("not after %s: %s", LongEnough, what)
		}
	}
}

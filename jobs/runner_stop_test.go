package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func TestARunnerThatIsStoppedLeavesNoStepUnrecorded(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	var ids []erasure.RequestID
	for i := range 20 {
		storetest.Identify(t, db, "shop", "user_id", fmt.Sprint("u", i))
		ids = append(ids, storetest.Requested(t, db, "user_id", fmt.Sprint("u", i)).ID)
	}
	clock.Advance(24 * time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	r := NewRunner(db, slog.New(slog.DiscardHandler))
	go func() { defer close(stopped); r.Run(ctx) }()
	for claimed := false; !claimed; {
		got, err := db.Request(t.Context(), ids[0])
		if err != nil {
			t.Fatal(err)
		}
		claimed = got.State != erasure.Pending
	}
	stop()
	<-stopped
	for _, id := range ids { // they were claimed together, and what was begun with them was ended
		got, err := db.Request(t.Context(), id)
		if err != nil || got.State != erasure.Completed || got.Attempts != 0 {
			t.Errorf("%s is %s after %d failed tries, %v", id, got.State, got.Attempts, err)
		}
	}
}

func TestAStoppedRunnerDoesNothing(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	storetest.Identify(t, db, "shop", "user_id", "u1")
	id := storetest.Requested(t, db, "user_id", "u1").ID
	clock.Advance(24 * time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if busy, err := NewRunner(db, slog.New(slog.DiscardHandler)).Work(ctx); busy || err != nil {
		t.Errorf("busy %v, %v", busy, err)
	}
	if got, _ := db.Request(t.Context(), id); got.State != erasure.Pending {
		t.Errorf("a stopped runner made the request %s", got.State)
	}
}

package jobs

import (
	"log/slog"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func work(t *testing.T, db *store.DB) {
	t.Helper()
	busy, err := NewRunner(db, slog.New(slog.DiscardHandler)).Work(t.Context())
	if err != nil || busy {
		t.Fatalf("the runner did not finish: busy %v, %v", busy, err)
	}
}

func TestARequestIsErasedWhenItsWindowHasPassed(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	storetest.Identify(t, db, "shop", "user_id", "u1", "email", "Ann@Example.com")
	storetest.Identify(t, db, "crm", "user_id", "u1", "phone", "+49 30 901820")
	r := storetest.Requested(t, db, "email", "ann@example.com")
	if r.Identifiers != 3 {
		t.Errorf("the request counts %d identifiers, not 3", r.Identifiers)
	}

	clock.Advance(24*time.Hour - time.Millisecond)
	work(t, db)
	if got, _ := db.Request(t.Context(), r.ID); got.State != erasure.Pending {
		t.Fatalf("a millisecond before the end of its window the request is %s", got.State)
	}
	storetest.One(t, db, "user_id", "u1")

	clock.Advance(time.Millisecond)
	work(t, db)
	got, err := db.Request(t.Context(), r.ID)
	if err != nil || got.State != erasure.Completed || got.Identifiers != 3 {
		t.Fatalf("after its window the request is %+v, %v", got, err)
	}
	found, err := db.Find(t.Context(), storetest.Identifiers("user_id", "u1")[0])
	if err != nil || len(found) != 0 {
		t.Errorf("the person is still found: %v, %v", found, err)
	}
	if _, err := db.Cancel(t.Context(), r.ID, erasure.System, erasure.API); erasure.CodeOf(err) != erasure.CodeTooLate {
		t.Errorf("a cancel after the erasure gives %v", err)
	}
}

func TestACancelledRequestErasesNobody(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	storetest.Identify(t, db, "shop", "user_id", "u1")
	r := storetest.Requested(t, db, "user_id", "u1")
	if _, err := db.Cancel(t.Context(), r.ID, erasure.System, erasure.Console); err != nil {
		t.Fatal(err)
	}
	clock.Advance(48 * time.Hour)
	work(t, db)
	storetest.One(t, db, "user_id", "u1")
	if _, err := db.Cancel(t.Context(), r.ID, erasure.System, erasure.Console); erasure.CodeOf(err) != erasure.CodeNotPending {
		t.Errorf("a second cancel gives %v", err)
	}
}

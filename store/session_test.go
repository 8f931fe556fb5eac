package store_test

import (
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func TestWhatIsOverIsForgotten(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	ann, session := storetest.SignedUp(t, db, "ann@example.com", erasure.Admin)
	if _, err := db.KeepFind(t.Context(), ann.ID, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err := db.SignIn(t.Context(), "ann@example.com", "wrong", home)
	storetest.WantCode(t, err, erasure.CodeUnauthorized)
	if err := db.ForgetExpired(t.Context()); err != nil {
		t.Fatal(err)
	}
	storetest.WantLive(t, db, session)
	clock.Advance(25 * time.Hour)
	if err := db.ForgetExpired(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := db.AccessRows(t); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func TestASessionEndsAfterHalfAnHourWithoutUse(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	_, session := signedUp(t, db, "ann@example.com", erasure.Admin)
	for range 5 {
		clock.Advance(25 * time.Minute)
		if _, err := db.SessionByToken(t.Context(), session, true); err != nil {
			t.Fatalf("a session in use ended: %v", err)
		}
	}
	clock.Advance(25 * time.Minute)
	wantLive(t, db, session) // as a poll looks: this renews nothing
	clock.Advance(5 * time.Minute)
	wantOver(t, db, session)
}

func TestASessionEndsAfterTwelveHoursInUse(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	_, session := signedUp(t, db, "ann@example.com", erasure.Admin)
	for range 35 {
		clock.Advance(20 * time.Minute)
		if _, err := db.SessionByToken(t.Context(), session, true); err != nil {
			t.Fatalf("a session in use ended: %v", err)
		}
	}
	clock.Advance(20 * time.Minute)
	wantOver(t, db, session)
}

func TestAWallClockThatJumpsEndsNoSessionAndKeepsNone(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	_, session := signedUp(t, db, "ann@example.com", erasure.Admin)
	clock.SetWall(storetest.Start.AddDate(1, 0, 0))
	wantLive(t, db, session)
	clock.SetWall(storetest.Start.AddDate(-1, 0, 0))
	clock.Advance(30 * time.Minute)
	wantOver(t, db, session)
}

func TestOwnSessionsAreListedAndEnded(t *testing.T) {
	db := storetest.Open(t)
	ann, first := signedUp(t, db, "ann@example.com", erasure.Admin)
	second := linkIn(t, db, ann.ID)
	bob, others := signedUp(t, db, "bob@example.com", erasure.Staff)
	current := wantLive(t, db, first)
	all, err := db.Sessions(t.Context(), ann.ID, current.ID)
	if err != nil || len(all) != 2 || all[0].Current == all[1].Current {
		t.Fatalf("got %+v, %v, want two sessions and one of them the current one", all, err)
	}
	if err := db.EndSession(t.Context(), bob.ID, current.ID); err != nil {
		t.Fatal(err)
	}
	wantLive(t, db, first) // it is not Bob's to end
	if kinds := db.LogKinds(t); slices.Contains(kinds, erasure.SessionEnded) {
		t.Errorf("the log tells %v", kinds)
	}
	if err := db.EndSession(t.Context(), ann.ID, current.ID); err != nil {
		t.Fatal(err)
	}
	wantOver(t, db, first)
	wantLive(t, db, second)
	if err := db.SignOut(t.Context(), ann.ID); err != nil {
		t.Fatal(err)
	}
	wantOver(t, db, second)
	wantLive(t, db, others)
	if kinds := db.LogKinds(t); !slices.Equal(kinds[len(kinds)-2:], []erasure.Kind{erasure.SessionEnded, erasure.SignedOut}) {
		t.Errorf("the log tells %v", kinds)
	}
}

func TestAFindIsKeptForItsOwnSessionAndAShortTime(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	mine, matches := uuid.New(), []uuid.UUID{uuid.New(), uuid.New()}
	id, err := db.KeepFind(t.Context(), mine, matches)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := db.KeptFind(t.Context(), mine, id); err != nil || len(got) != 2 || got[0] != matches[0] {
		t.Errorf("got %v, %v, want %v", got, err, matches)
	}
	_, err = db.KeptFind(t.Context(), uuid.New(), id)
	wantCode(t, err, erasure.CodeNotFound)
	clock.Advance(15 * time.Minute)
	_, err = db.KeptFind(t.Context(), mine, id)
	wantCode(t, err, erasure.CodeNotFound)
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	ann, session := signedUp(t, db, "ann@example.com", erasure.Admin)
	if _, err := db.KeepFind(t.Context(), ann.ID, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err := db.SignIn(t.Context(), "ann@example.com", "wrong", home)
	wantCode(t, err, erasure.CodeUnauthorized)
	if err := db.ForgetExpired(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantLive(t, db, session)
	clock.Advance(25 * time.Hour)
	if err := db.ForgetExpired(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := db.AccessRows(t); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

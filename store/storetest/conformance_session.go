package storetest

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// sessions is how long who signed in stays so.
var sessions = behaviours{
	"a session ends after half an hour without use": func(t *testing.T, d trial) {
		_, session := SignedUp(t, d.DB, "ann@example.com", erasure.Admin)
		d.uses(t, session, 5, 25*time.Minute)
		d.clock.Advance(25 * time.Minute)
		WantLive(t, d.DB, session) // as a poll looks: this renews nothing
		d.clock.Advance(5 * time.Minute)
		WantOver(t, d.DB, session)
	},
	"a session ends after twelve hours in use": func(t *testing.T, d trial) {
		_, session := SignedUp(t, d.DB, "ann@example.com", erasure.Admin)
		d.uses(t, session, 35, 20*time.Minute)
		d.clock.Advance(20 * time.Minute)
		WantOver(t, d.DB, session)
	},
	"a wall clock that jumps ends no session and keeps none": func(t *testing.T, d trial) {
		_, session := SignedUp(t, d.DB, "ann@example.com", erasure.Admin)
		d.clock.SetWall(Start.AddDate(1, 0, 0))
		WantLive(t, d.DB, session)
		d.clock.SetWall(Start.AddDate(-1, 0, 0))
		d.clock.Advance(30 * time.Minute)
		WantOver(t, d.DB, session)
	},
	"own sessions are listed and ended": func(t *testing.T, d trial) {
		ann, first := SignedUp(t, d.DB, "ann@example.com", erasure.Admin)
		second := LinkIn(t, d.DB, ann.ID)
		bob, others := SignedUp(t, d.DB, "bob@example.com", erasure.Staff)
		current := WantLive(t, d.DB, first)
		all, err := d.Sessions(t.Context(), ann.ID, current.ID)
		if err != nil || len(all) != 2 || all[0].Current == all[1].Current {
			t.Fatalf("got %+v, %v, want two sessions and one of them the current one", all, err)
		}
		must(t, d.EndSession(t.Context(), bob.ID, current.ID))
		WantLive(t, d.DB, first) // it is not Bob's to end
		must(t, d.EndSession(t.Context(), ann.ID, current.ID))
		WantOver(t, d.DB, first)
		WantLive(t, d.DB, second)
		must(t, d.SignOut(t.Context(), ann.ID))
		WantOver(t, d.DB, second)
		WantLive(t, d.DB, others)
		log, _, err := d.Activity(t.Context(), "", 100)
		if err != nil || log[0].Kind != erasure.SignedOut || log[1].Kind != erasure.SessionEnded || log[2].Kind == erasure.SessionEnded {
			t.Errorf("the log tells %v, %v", log[:3], err)
		}
	},
	"a find is kept for its own session and a short time": func(t *testing.T, d trial) {
		mine, matches := uuid.New(), []uuid.UUID{uuid.New(), uuid.New()}
		id, err := d.KeepFind(t.Context(), mine, matches)
		must(t, err)
		if got, err := d.KeptFind(t.Context(), mine, id); err != nil || len(got) != 2 || got[0] != matches[0] {
			t.Errorf("got %v, %v, want %v", got, err, matches)
		}
		_, err = d.KeptFind(t.Context(), uuid.New(), id)
		WantCode(t, err, erasure.CodeNotFound)
		d.clock.Advance(15 * time.Minute)
		_, err = d.KeptFind(t.Context(), mine, id)
		WantCode(t, err, erasure.CodeNotFound)
	},
}

// uses looks with a session again and again, as pages do.
func (d trial) uses(t *testing.T, session string, times int, every time.Duration) {
	t.Helper()
	for range times {
		d.clock.Advance(every)
		if _, err := d.SessionByToken(t.Context(), session, true); err != nil {
			t.Fatalf("a session in use ended: %v", err)
		}
	}
}

// SignedUp makes an operator and signs in through a link, which costs no hash.
func SignedUp(t testing.TB, db *store.DB, email string, role erasure.Role) (o erasure.Operator, session string) {
	t.Helper()
	o, err := db.CreateOperator(t.Context(), erasure.System, store.NewOperator{Email: email, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return o, LinkIn(t, db, o.ID)
}

// LinkIn signs an operator in through a link.
func LinkIn(t testing.TB, db *store.DB, id uuid.UUID) (session string) {
	t.Helper()
	link, _, err := db.NewLink(t.Context(), erasure.System, store.SignInLink, id)
	if err != nil {
		t.Fatal(err)
	}
	session, _, err = db.UseLink(t.Context(), link, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// WantOver fails the test unless a session has ended.
func WantOver(t testing.TB, db *store.DB, session string) {
	t.Helper()
	_, err := db.SessionByToken(t.Context(), session, false)
	WantCode(t, err, erasure.CodeUnauthorized)
}

// WantLive fails the test unless a session is live.
func WantLive(t testing.TB, db *store.DB, session string) erasure.Session {
	t.Helper()
	s, err := db.SessionByToken(t.Context(), session, false)
	if err != nil {
		t.Errorf("the session is over: %v", err)
	}
	return s
}

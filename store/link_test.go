package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func newLink(t *testing.T, db *store.DB, purpose store.LinkPurpose, id uuid.UUID) string {
	t.Helper()
	token, until, err := db.NewLink(t.Context(), erasure.System, purpose, id)
	if err != nil || !until.Equal(storetest.Start.Add(24*time.Hour)) {
		t.Fatalf("a link until %s: %v", until, err)
	}
	return token
}

func TestASetUpLinkCreatesTheFirstAdminOnce(t *testing.T) {
	db := storetest.Open(t)
	if empty, err := db.Empty(t.Context()); err != nil || !empty {
		t.Errorf("a new store is empty: %v, %v", empty, err)
	}
	stale := newLink(t, db, store.SetupLink, uuid.Nil)
	token := newLink(t, db, store.SetupLink, uuid.Nil)
	_, err := db.LinkByToken(t.Context(), stale)
	storetest.WantCode(t, err, erasure.CodeNotFound)
	for _, bad := range [][2]string{{"", goodPassword}, {"ann", goodPassword}, {"ann@example.com", "short"}} {
		_, _, err := db.UseLink(t.Context(), token, bad[0], bad[1])
		storetest.WantCode(t, err, erasure.CodeInvalid)
	}
	session, o, err := db.UseLink(t.Context(), token, "Ann@example.com", goodPassword)
	if err != nil || o.Role != erasure.Admin || !o.HasPass {
		t.Fatalf("got %+v, %v", o, err)
	}
	storetest.WantLive(t, db, session)
	if want := []erasure.Kind{erasure.OperatorCreated, erasure.SignedIn}; !slices.Equal(db.LogKinds(t), want) {
		t.Errorf("the log tells %v, want %v", db.LogKinds(t), want)
	}
	_, _, err = db.UseLink(t.Context(), token, "bob@example.com", goodPassword)
	storetest.WantCode(t, err, erasure.CodeNotFound)
	_, _, err = db.NewLink(t.Context(), erasure.System, store.SetupLink, uuid.Nil)
	storetest.WantCode(t, err, erasure.CodeConflict)
	if empty, err := db.Empty(t.Context()); err != nil || empty {
		t.Errorf("the store is set up: %v, %v", empty, err)
	}
}

func TestASetUpLinkIsOfNoUseOnceThereIsAnOperator(t *testing.T) {
	db := storetest.Open(t)
	token := newLink(t, db, store.SetupLink, uuid.Nil)
	withPassword(t, db, "ann@example.com")
	_, _, err := db.UseLink(t.Context(), token, "bob@example.com", goodPassword)
	storetest.WantCode(t, err, erasure.CodeConflict)
}

func TestAPasswordLinkSetsThePasswordOnceAndEndsSessions(t *testing.T) {
	db := storetest.Open(t)
	ann, old := storetest.SignedUp(t, db, "ann@example.com", erasure.Staff)
	token := newLink(t, db, store.PasswordLink, ann.ID)
	if l, err := db.LinkByToken(t.Context(), token); err != nil || l.Purpose != store.PasswordLink || l.Operator.ID != ann.ID {
		t.Errorf("got %+v, %v", l, err)
	}
	failTries(t, db, 5, "ann@example.com", home) // a link is not slowed by them
	type result struct {
		session string
		err     error
	}
	results := make(chan result)
	for range 2 {
		go func() {
			session, _, err := db.UseLink(t.Context(), token, "", goodPassword)
			results <- result{session, err}
		}()
	}
	used, refused := <-results, <-results
	if used.err != nil {
		used, refused = refused, used
	}
	if used.err != nil {
		t.Fatal(used.err)
	}
	storetest.WantCode(t, refused.err, erasure.CodeNotFound)
	storetest.WantOver(t, db, old)
	storetest.WantLive(t, db, used.session)
	if _, _, err := db.SignIn(t.Context(), "ann@example.com", goodPassword, home); err != nil {
		t.Error(err)
	}
}

func TestALinkEndsAfterADayAndWithItsAccount(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	withPassword(t, db, "ann@example.com")
	bob := withPassword(t, db, "bob@example.com")
	token := newLink(t, db, store.PasswordLink, bob.ID)
	if err := db.SetDisabled(t.Context(), erasure.System, bob.ID, true); err != nil {
		t.Fatal(err)
	}
	_, _, err := db.UseLink(t.Context(), token, "", goodPassword)
	storetest.WantCode(t, err, erasure.CodeNotFound)
	_, _, err = db.NewLink(t.Context(), erasure.System, store.PasswordLink, bob.ID)
	storetest.WantCode(t, err, erasure.CodeConflict)
	if err := db.SetDisabled(t.Context(), erasure.System, bob.ID, false); err != nil {
		t.Fatal(err)
	}
	token = newLink(t, db, store.PasswordLink, bob.ID)
	clock.Advance(24 * time.Hour)
	_, _, err = db.UseLink(t.Context(), token, "", goodPassword)
	storetest.WantCode(t, err, erasure.CodeNotFound)
}

package store_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

var (
	home      = netip.MustParseAddr("192.0.2.1")
	elsewhere = netip.MustParseAddr("198.51.100.7")
)

func withPassword(t *testing.T, db *store.DB, email string) erasure.Operator {
	t.Helper()
	o, err := db.CreateOperator(t.Context(), erasure.System, store.NewOperator{Email: email, Role: erasure.Admin, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// refuse stands for the comparison where a test makes many failed tries.
func refuse(context.Context, string, string) (bool, error) { return false, nil }

func failTries(t *testing.T, db *store.DB, n int, email string, from netip.Addr) {
	t.Helper()
	for i := range n {
		if _, _, err := store.SignInWith(db, t.Context(), email, "wrong", from, refuse); erasure.CodeOf(err) != erasure.CodeUnauthorized {
			t.Fatalf("try %d: %v", i+1, err)
		}
	}
}

func TestTheRightPasswordSignsIn(t *testing.T) {
	db := storetest.Open(t)
	withPassword(t, db, "ann@example.com")
	session, o, err := db.SignIn(t.Context(), " Ann@Example.com", goodPassword, home)
	if err != nil || o.Email != "ann@example.com" || !o.LastSignIn.Equal(storetest.Start) {
		t.Fatalf("got %+v, %v", o, err)
	}
	storetest.WantLive(t, db, session)
	if kinds := db.LogKinds(t); kinds[len(kinds)-1] != erasure.SignedIn {
		t.Errorf("the log tells %v", kinds)
	}
}

func TestAPasswordIsTheSameInEveryUnicodeForm(t *testing.T) {
	db := storetest.Open(t)
	_, err := db.CreateOperator(t.Context(), erasure.System,
		store.NewOperator{Email: "ann@example.com", Role: erasure.Admin, Password: "caf\u00e9 au lait twice a day"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.SignIn(t.Context(), "ann@example.com", "cafe\u0301 au lait twice a day", home); err != nil {
		t.Error(err)
	}
}

// The work is what takes time, so that is compared, and not the time.
func TestEveryFailedSignInDoesTheSameWorkAndAnswersAlike(t *testing.T) {
	db := storetest.Open(t)
	withPassword(t, db, "ann@example.com")
	disabled := withPassword(t, db, "disabled@example.com")
	if err := db.SetDisabled(t.Context(), erasure.System, disabled.ID, true); err != nil {
		t.Fatal(err)
	}
	storetest.SignedUp(t, db, "invited@example.com", erasure.Staff)
	want := argon2id.Params{Memory: 46 * 1024, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	var first error
	for _, email := range []string{"ann@example.com", "nobody@example.com", "disabled@example.com", "invited@example.com", "not an address", ""} {
		compared := 0
		_, _, err := store.SignInWith(db, t.Context(), email, goodPassword+"?", home, func(_ context.Context, _, hash string) (bool, error) {
			compared++
			if p, _, _, err := argon2id.DecodeHash(hash); err != nil || *p != want {
				t.Errorf("%s: compared with %+v, %v", email, p, err)
			}
			return false, nil
		})
		if first == nil {
			first = err
		}
		if compared != 1 || err == nil || err.Error() != first.Error() {
			t.Errorf("%s: %d comparisons and %v", email, compared, err)
		}
	}
}

func TestADisabledAccountDoesNotSignIn(t *testing.T) {
	db := storetest.Open(t)
	withPassword(t, db, "ann@example.com")
	bob := withPassword(t, db, "bob@example.com")
	if err := db.SetDisabled(t.Context(), erasure.System, bob.ID, true); err != nil {
		// Nobody has signed in, but Ann has a password.
		t.Fatal(err)
	}
	_, _, err := db.SignIn(t.Context(), "bob@example.com", goodPassword, home)
	storetest.WantCode(t, err, erasure.CodeUnauthorized)
}

func TestAPasswordThatChangesDuringTheComparisonDoesNotSignIn(t *testing.T) {
	db := storetest.Open(t)
	ann := withPassword(t, db, "ann@example.com")
	_, _, err := store.SignInWith(db, t.Context(), "ann@example.com", goodPassword, home, func(ctx context.Context, _, _ string) (bool, error) {
		_, err := db.ChangePassword(ctx, ann.ID, goodPassword, "another one, all of a sudden", elsewhere)
		return true, err
	})
	storetest.WantCode(t, err, erasure.CodeUnauthorized)
}

func TestFailedTriesAreSlowedPerAccountKnownOrNot(t *testing.T) {
	for _, email := range []string{"ann@example.com", "nobody@example.com"} {
		clock := storetest.NewClock()
		db := storetest.Open(t, storetest.WithClock(clock))
		withPassword(t, db, "ann@example.com")
		failTries(t, db, 5, email, home)
		var limited *erasure.Limited
		for wait := time.Second; wait < 15*time.Minute; wait *= 2 {
			// From elsewhere and in other spellings it is the same account.
			_, _, err := store.SignInWith(db, t.Context(), " "+email, goodPassword, elsewhere, refuse)
			if !errors.As(err, &limited) || limited.Wait != wait {
				t.Fatalf("%s: got %v, want a wait of %s", email, err, wait)
			}
			clock.Advance(wait)
			failTries(t, db, 1, email, home)
		}
		clock.Advance(15*time.Minute - time.Second)
		_, _, err := db.SignIn(t.Context(), email, goodPassword, home)
		if !errors.As(err, &limited) || limited.Wait != time.Second {
			t.Errorf("%s: got %v, want a wait of 15 minutes at most", email, err)
		}
	}
}

func TestTheRightPasswordAfterTheWaitSignsInAndForgetsTheTries(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	withPassword(t, db, "ann@example.com")
	failTries(t, db, 5, "ann@example.com", home)
	clock.Advance(time.Second)
	if _, _, err := db.SignIn(t.Context(), "ann@example.com", goodPassword, home); err != nil {
		t.Fatal(err)
	}
	failTries(t, db, 5, "ann@example.com", home)
}

func TestFailedTriesAreSlowedPerAddress(t *testing.T) {
	db := storetest.Open(t)
	withPassword(t, db, "ann@example.com")
	subnet := netip.MustParseAddr("2001:db8::1")
	for i := range 20 {
		failTries(t, db, 1, string(rune('a'+i))+"@example.com", subnet.Next())
	}
	_, _, err := db.SignIn(t.Context(), "ann@example.com", goodPassword, netip.MustParseAddr("2001:db8::ffff"))
	storetest.WantCode(t, err, erasure.CodeLimited)
	if _, _, err := db.SignIn(t.Context(), "ann@example.com", goodPassword, elsewhere); err != nil {
		t.Errorf("another address is slowed too: %v", err)
	}
}

func TestAnOwnAccountDoesNotClearTheWayToTryOthers(t *testing.T) {
	db := storetest.Open(t)
	withPassword(t, db, "ann@example.com")
	for i := range 19 {
		failTries(t, db, 1, string(rune('a'+i))+"@example.org", home)
	}
	if _, _, err := db.SignIn(t.Context(), "ann@example.com", goodPassword, home); err != nil {
		t.Fatal(err)
	}
	failTries(t, db, 1, "x@example.org", home)
	_, _, err := db.SignIn(t.Context(), "y@example.org", goodPassword, home)
	storetest.WantCode(t, err, erasure.CodeLimited)
}

func TestTheOwnPasswordChangesOnlyWithThePresentOne(t *testing.T) {
	db := storetest.Open(t)
	ann := withPassword(t, db, "ann@example.com")
	old, _, err := db.SignIn(t.Context(), "ann@example.com", goodPassword, home)
	if err != nil {
		t.Fatal(err)
	}
	const next = "uphill the rivers run again"
	_, err = db.ChangePassword(t.Context(), ann.ID, "not the right one", next, home)
	storetest.WantCode(t, err, erasure.CodeInvalid)
	_, err = db.ChangePassword(t.Context(), ann.ID, goodPassword, "short", home)
	storetest.WantCode(t, err, erasure.CodeInvalid)
	storetest.WantLive(t, db, old)
	session, err := db.ChangePassword(t.Context(), ann.ID, goodPassword, next, home)
	if err != nil {
		t.Fatal(err)
	}
	storetest.WantOver(t, db, old)
	storetest.WantLive(t, db, session)
	_, _, err = db.SignIn(t.Context(), "ann@example.com", goodPassword, home)
	storetest.WantCode(t, err, erasure.CodeUnauthorized)
	if _, _, err := db.SignIn(t.Context(), "ann@example.com", next, home); err != nil {
		t.Error(err)
	}
}

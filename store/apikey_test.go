package store_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func newKey(t *testing.T, db *store.DB, n store.NewKey) (string, erasure.APIKey) {
	t.Helper()
	token, k, err := db.CreateKey(t.Context(), erasure.System, n)
	if err != nil {
		t.Fatal(err)
	}
	return token, k
}

func TestAKeyOpensWhatItWasMadeFor(t *testing.T) {
	db := storetest.Open(t)
	token, made := newKey(t, db, store.NewKey{Name: "crm sync",
		Scopes: []erasure.Scope{erasure.ScopeDeletionsWrite, erasure.ScopeDeletionsRead, erasure.ScopeDeletionsRead}})
	if !regexp.MustCompile(`^efk_[A-Za-z0-9_-]{43}$`).MatchString(token) {
		t.Errorf("the key is %q", token)
	}
	k, err := db.KeyByToken(t.Context(), token)
	if err != nil || k.ID != made.ID || k.Name != "crm sync" || len(k.Scopes) != 2 || !k.Has(erasure.ScopeDeletionsRead) || k.Has(erasure.ScopeProfilesRead) {
		t.Errorf("got %+v, %v", k, err)
	}
	for _, wrong := range []string{"", "efk_", token[:46], token + "A", strings.ToUpper(token), "Bearer " + token} {
		_, err := db.KeyByToken(t.Context(), wrong)
		storetest.WantCode(t, err, erasure.CodeUnauthorized)
	}
}

func TestAKeyEndsWhenRevokedOrExpired(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	scopes := []erasure.Scope{erasure.ScopeDeletionsRead}
	byName, _ := newKey(t, db, store.NewKey{Name: "one", Scopes: scopes})
	byID, k := newKey(t, db, store.NewKey{Name: "two", Scopes: scopes})
	expiring, _ := newKey(t, db, store.NewKey{Name: "three", Scopes: scopes, Expires: 24 * time.Hour})
	for _, which := range []string{"one", k.ID.String()} {
		if err := db.RevokeKey(t.Context(), erasure.System, which); err != nil {
			t.Fatal(err)
		}
		err := db.RevokeKey(t.Context(), erasure.System, which)
		storetest.WantCode(t, err, erasure.CodeNotFound)
		if want := clock.Now().Wall.UTC().Format(time.DateTime); !strings.Contains(err.Error(), "revoked already, at "+want+" UTC") {
			t.Errorf("a second time the key %s is refused with %v", which, err)
		}
	}
	if _, err := db.KeyByToken(t.Context(), expiring); err != nil {
		t.Error(err)
	}
	clock.Advance(24 * time.Hour)
	for _, token := range []string{byName, byID, expiring} {
		_, err := db.KeyByToken(t.Context(), token)
		storetest.WantCode(t, err, erasure.CodeUnauthorized)
	}
	want := []erasure.Kind{erasure.KeyCreated, erasure.KeyCreated, erasure.KeyCreated, erasure.KeyRevoked, erasure.KeyRevoked}
	if got := db.LogKinds(t); !slices.Equal(got, want) {
		t.Errorf("the log tells %v, want %v", got, want)
	}
}

func TestANameIsUniqueAmongLiveKeys(t *testing.T) {
	db := storetest.Open(t)
	n := store.NewKey{Name: "crm", Scopes: []erasure.Scope{erasure.ScopeProfilesRead}}
	newKey(t, db, n)
	_, _, err := db.CreateKey(t.Context(), erasure.System, n)
	storetest.WantCode(t, err, erasure.CodeConflict)
	if err := db.RevokeKey(t.Context(), erasure.System, "crm"); err != nil {
		t.Fatal(err)
	}
	newKey(t, db, n)
	if live, ended, err := db.Keys(t.Context()); err != nil || len(live) != 1 || len(ended) != 1 {
		t.Errorf("got %+v, %+v, %v", live, ended, err)
	}
}

func TestKeysThatHaveEndedAreListedApartTheNewestEndFirst(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	scopes := []erasure.Scope{erasure.ScopeDeletionsRead}
	newKey(t, db, store.NewKey{Name: "b", Scopes: scopes})
	newKey(t, db, store.NewKey{Name: "a", Scopes: scopes, Expires: 72 * time.Hour})
	_, expired := newKey(t, db, store.NewKey{Name: "expired", Scopes: scopes, Expires: 24 * time.Hour})
	for i := range 51 {
		newKey(t, db, store.NewKey{Name: fmt.Sprint("revoked ", i), Scopes: scopes})
		if err := db.RevokeKey(t.Context(), erasure.System, fmt.Sprint("revoked ", i)); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Minute)
	}
	clock.Advance(24 * time.Hour)
	names := func(keys []erasure.APIKey) (all []string) {
		for _, k := range keys {
			all = append(all, k.Name)
		}
		return all
	}
	live, ended, err := db.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := names(live); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the live keys are %q", got)
	}
	if got := names(ended); len(got) != 50 || got[0] != "expired" || got[1] != "revoked 50" || got[49] != "revoked 2" {
		t.Errorf("the ended keys are %q", got)
	}
	// It keeps its name until it is revoked as well.
	if k, err := db.Key(t.Context(), expired.ID); err != nil || k.Name != "expired" || !k.EndedAt(clock.Now().Wall).Equal(expired.ExpiresAt) {
		t.Errorf("got %+v, %v", k, err)
	}
}

func TestAKeyThatMakesNoSenseIsRefused(t *testing.T) {
	db := storetest.Open(t)
	read, clevertap := []erasure.Scope{erasure.ScopeDeletionsRead}, []erasure.Scope{erasure.ScopeCleverTap}
	for _, n := range []store.NewKey{
		{Scopes: read}, {Name: " crm", Scopes: read}, {Name: "c\x00rm", Scopes: read}, {Name: "c\u200brm", Scopes: read},
		{Name: strings.Repeat("x", 65), Scopes: read}, {Name: "crm"}, {Name: "crm", Scopes: []erasure.Scope{"all"}},
		{Name: "crm", Scopes: read, Expires: -time.Hour}, {Name: "crm", Scopes: read, AccountID: "W1"}, {Name: "crm", Scopes: clevertap},
	} {
		_, _, err := db.CreateKey(t.Context(), erasure.System, n)
		storetest.WantCode(t, err, erasure.CodeInvalid)
	}
}

func TestTheLastUseOfAKeyIsNotedToTheMinute(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	token, _ := newKey(t, db, store.NewKey{Name: "crm", Scopes: []erasure.Scope{erasure.ScopeProfilesRead}})
	use := func() {
		t.Helper()
		if _, err := db.KeyByToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	wantUsed := func(want time.Time) {
		t.Helper()
		if err := db.FlushKeyUse(t.Context()); err != nil {
			t.Fatal(err)
		}
		if live, _, err := db.Keys(t.Context()); err != nil || !live[0].LastUsed.Equal(want) {
			t.Errorf("got %+v, %v, want %s", live, err, want)
		}
	}
	wantUsed(time.Time{})
	use()
	wantUsed(storetest.Start)
	clock.Advance(59 * time.Second)
	use()
	wantUsed(storetest.Start)
	clock.Advance(time.Second)
	use()
	wantUsed(storetest.Start.Add(time.Minute))
}

func TestAUseThatCouldNotBeNotedWaitsForTheNextTime(t *testing.T) {
	db := storetest.Open(t)
	token, _ := newKey(t, db, store.NewKey{Name: "k", Scopes: []erasure.Scope{erasure.ScopeProfilesRead}})
	if _, err := db.KeyByToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := db.FlushKeyUse(ended); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if err := db.FlushKeyUse(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys, _, err := db.Keys(t.Context()); err != nil || keys[0].LastUsed.IsZero() {
		t.Errorf("the key's last use is %v, %v", keys, err)
	}
}

package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// I8: who looked at whose profile is logged, without the data.
func TestEachLookIsLogged(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 2)
	r := requested(t, d.DB, "user_id", "u1")
	ann := erasure.Actor{Kind: erasure.ByOperator, ID: uuid.New()}
	looks := func() (n int) {
		for _, e := range storetest.CheckLog(t, d.dir) {
			if e.Kind == erasure.ProfileViewed {
				n++
				if e.Actor != ann.String() || len(e.Subject) != 64 {
					t.Errorf("a look is logged as %+v", e)
				}
			}
		}
		return n
	}
	p, err := d.Profile(t.Context(), ann, *r.EffaceID)
	if err != nil || looks() != 1 || len(p.Identifiers) != 4 {
		t.Errorf("a look at a profile: %d entries, %d identifiers, %v", looks(), len(p.Identifiers), err)
	}
	if r, err := d.RequestDetails(t.Context(), ann, r.ID); err != nil || looks() != 2 || r.Reason != "asked by mail" || r.Asked.Value != "u1" {
		t.Errorf("a look at a request: %d entries, %+v, %v", looks(), r, err)
	}
	_, err = d.PeekProfile(t.Context(), *r.EffaceID)
	must(t, err)
	must(t, second(d.Request(t.Context(), r.ID)))
	if looks() != 2 {
		t.Error("what opens nothing is logged as a look")
	}
}

// I8: what cannot be logged is not shown.
func TestALookThatCannotBeLoggedShowsNothing(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 2)
	r := requested(t, d.DB, "user_id", "u1")
	must(t, second(storetest.Raw(t, d.dir).Exec(`CREATE TRIGGER broken BEFORE INSERT ON log_entries BEGIN SELECT RAISE(ABORT, 'broken'); END`)))
	if p, err := d.Profile(t.Context(), erasure.System, *r.EffaceID); err == nil || len(p.Identifiers) > 0 {
		t.Errorf("a look at a profile shows %v, %v", p.Identifiers, err)
	}
	if r, err := d.RequestDetails(t.Context(), erasure.System, r.ID); err == nil || r.Reason != "" || r.Asked.Value != "" {
		t.Errorf("a look at a request shows %q %q, %v", r.Reason, r.Asked.Value, err)
	}
}

// Staff are told of each identifier whether it stays with somebody else.
func TestAnIdentifierIsSharedWhileItLeadsToAnotherLiveProfile(t *testing.T) {
	d := openOnDisk(t)
	for _, n := range []string{"1", "2"} {
		storetest.Identify(t, d.DB, "shop", "user_id", "u"+n, "email", "Family@example.com", "email", "own"+n+"@example.com")
	}
	p := storetest.One(t, d.DB, "user_id", "u1")
	shared := func() (values []string) {
		p, err := d.Profile(t.Context(), erasure.System, p.EffaceID)
		must(t, err)
		for _, h := range p.Identifiers {
			if h.Shared {
				values = append(values, h.Value)
			}
		}
		return values
	}
	if got := shared(); !slices.Equal(got, []string{"Family@example.com"}) {
		t.Errorf("shared are %q", got)
	}
	requested(t, d.DB, "user_id", "u2")
	d.clock.Advance(24 * time.Hour)
	_, err := d.ClaimDue(t.Context(), 500)
	must(t, err)
	if got := shared(); len(got) != 0 {
		t.Errorf("shared with a profile that is being erased are %q", got)
	}
}

// §6: whom an entry was about can be read for as long as that person exists,
// and a former User ID leads to them for as long.
func TestWhomAnEntryWasAboutIsForgottenWithThem(t *testing.T) {
	d := openOnDisk(t)
	storetest.Identify(t, d.DB, "web", "anonymous_id", "a1")
	tellPerson(t, d.DB, "u1", 1)
	former := storetest.One(t, d.DB, "user_id", "u1").EffaceID
	storetest.Identify(t, d.DB, "web", "anonymous_id", "a1", "user_id", "u1")
	p := storetest.One(t, d.DB, "user_id", "u1")
	if p.EffaceID == former || !slices.Equal(p.Former, []uuid.UUID{former}) {
		t.Fatalf("the older profile did not stay: %+v", p)
	}
	if again, err := d.Profile(t.Context(), erasure.System, former); err != nil || again.EffaceID != p.EffaceID {
		t.Errorf("the former User ID leads to %v, %v", again.EffaceID, err)
	}
	if _, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{EffaceID: &former, Origin: erasure.Console}); erasure.CodeOf(err) != erasure.CodeConflict {
		t.Errorf("a former User ID confirms: %v", err)
	}
	r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{EffaceID: &p.EffaceID, Origin: erasure.Console})
	must(t, err)
	subjects := func() (n int) {
		as, _, err := d.Activity(t.Context(), "", 100)
		must(t, err)
		for _, a := range as {
			if a.EffaceID != nil && a.Kind != erasure.ProfileMerged {
				n++
			}
		}
		return n
	}
	if n := subjects(); n != 2 { // the look and the request
		t.Errorf("%d entries say whom they were about, not 2", n)
	}
	d.clock.Advance(24 * time.Hour)
	eraseAll(t, d.DB)
	checkErased(t, d, r.ID)
	if n := subjects(); n != 0 {
		t.Errorf("after the erasure %d entries say whom they were about", n)
	}
	if _, err := d.Profile(t.Context(), erasure.System, former); erasure.CodeOf(err) != erasure.CodeNotFound {
		t.Errorf("the former User ID still leads somewhere: %v", err)
	}
}

// A profile that is claimed counts as absent, and what arrives begins anew.
func TestAClaimedProfileIsAbsent(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 1)
	r := requested(t, d.DB, "user_id", "u1")
	d.clock.Advance(24 * time.Hour)
	must(t, second(d.ClaimDue(t.Context(), 1)))
	email := storetest.Identifiers("email", "u1@example.com")[0]
	if found, err := d.Find(t.Context(), email); err != nil || len(found) != 0 {
		t.Errorf("it is found: %v, %v", found, err)
	}
	if again, created, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: email, Origin: erasure.API}); err != nil || created || again.ID != r.ID {
		t.Errorf("a request for it is %s, created %v, %v", again.ID, created, err)
	}
	if _, err := d.CancelByIdentifier(t.Context(), email, erasure.System, erasure.API); erasure.CodeOf(err) != erasure.CodeTooLate {
		t.Errorf("a cancel gives %v", err)
	}
	storetest.Identify(t, d.DB, "shop", "user_id", "u1")
	fresh := storetest.One(t, d.DB, "user_id", "u1")
	if fresh.EffaceID == *r.EffaceID || fresh.Records != 0 {
		t.Errorf("what arrived went to the one being erased: %+v", fresh)
	}
	eraseAll(t, d.DB)
	if p := storetest.One(t, d.DB, "user_id", "u1"); p.EffaceID != fresh.EffaceID {
		t.Errorf("the new profile is %v", p.EffaceID)
	}
	storetest.CheckLog(t, d.dir)
}

// The rules that a stream of random calls does not reach.
func TestSuppressedIdentifiersAreLeftOut(t *testing.T) {
	d := openOnDisk(t)
	storetest.Identify(t, d.DB, "shop", "user_id", "u1", "email", "shared@example.com", "email", "own@example.com")
	storetest.Identify(t, d.DB, "shop", "user_id", "u2", "email", "shared@example.com")
	_, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", "u1")[0], Suppress: true, Origin: erasure.API})
	must(t, err)
	d.clock.Advance(24 * time.Hour)
	eraseAll(t, d.DB)
	for pairs, want := range map[[2]string]int{{"user_id", "u1"}: 0, {"email", "own@example.com"}: 0, {"email", "shared@example.com"}: 1} {
		storetest.Identify(t, d.DB, "shop", pairs[0], pairs[1])
		found, err := d.Find(t.Context(), storetest.Identifiers(pairs[0], pairs[1])[0])
		if err != nil || len(found) != want {
			t.Errorf("%v leads to %d profiles, not %d, %v", pairs, len(found), want, err)
		}
	}
	storetest.Identify(t, d.DB, "shop", "user_id", "u1", "email", "new@example.com")
	storetest.One(t, d.DB, "email", "new@example.com")
	storetest.Tell(t, d.DB, ingest.Call{Kind: ingest.Alias, Table: erasure.User, Source: "shop", PreviousID: "u1",
		Identifiers: storetest.Identifiers("user_id", "u3")})
	if found, err := d.Find(context.Background(), storetest.Identifiers("user_id", "u1")[0]); err != nil || len(found) != 0 {
		t.Errorf("an alias brought back who is suppressed: %v, %v", found, err)
	}
}

func TestAUserIDIsGivenByEffaceAlone(t *testing.T) {
	d := openOnDisk(t)
	unknown := uuid.NewString()
	if r := storetest.Identify(t, d.DB, "import", "efface_id", unknown, "email", "x@example.com"); erasure.CodeOf(r.Err) != erasure.CodeNotFound {
		t.Errorf("an unknown User ID gives %+v", r)
	}
	storetest.Identify(t, d.DB, "shop", "user_id", "u1")
	p := storetest.One(t, d.DB, "user_id", "u1")
	storetest.Identify(t, d.DB, "import", "efface_id", p.EffaceID.String(), "email", "x@example.com")
	if got := storetest.One(t, d.DB, "email", "x@example.com"); got.EffaceID != p.EffaceID {
		t.Errorf("the User ID led to %v", got.EffaceID)
	}
}

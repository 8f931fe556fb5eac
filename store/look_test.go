package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// I8: who looked at whose profile is logged, without the data.
func TestEachLookIsLogged(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 2)
	r := storetest.Requested(t, d.DB, "user_id", "u1")
	operatorOf(t, d.DB, "admin@example.com", erasure.Admin)
	ann := operatorOf(t, d.DB, "ann@example.com", erasure.Staff)
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
	must(t, d.SetDisabled(t.Context(), erasure.System, ann.ID, true))
	if p, err := d.Profile(t.Context(), ann, *r.EffaceID); erasure.CodeOf(err) != erasure.CodeForbidden || len(p.Identifiers) > 0 {
		t.Errorf("whose account is disabled sees %+v, %v", p, err)
	}
	if r, err := d.RequestDetails(t.Context(), ann, r.ID); erasure.CodeOf(err) != erasure.CodeForbidden || r.Asked.Value != "" {
		t.Errorf("whose account is disabled sees %+v, %v", r, err)
	}
}

// I8: what cannot be logged is not shown.
func TestALookThatCannotBeLoggedShowsNothing(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 2)
	r := storetest.Requested(t, d.DB, "user_id", "u1")
	must(t, second(storetest.Raw(t, d.dir).Exec(`CREATE TRIGGER broken BEFORE INSERT ON log_entries BEGIN SELECT RAISE(ABORT, 'broken'); END`)))
	if p, err := d.Profile(t.Context(), erasure.System, *r.EffaceID); err == nil || len(p.Identifiers) > 0 {
		t.Errorf("a look at a profile shows %v, %v", p.Identifiers, err)
	}
	if r, err := d.RequestDetails(t.Context(), erasure.System, r.ID); err == nil || r.Reason != "" || r.Asked.Value != "" {
		t.Errorf("a look at a request shows %q %q, %v", r.Reason, r.Asked.Value, err)
	}
}

// Where many are found, only what they are told apart by is read of each.
func TestALookAtSeveralReadsWhatIsSharedAndNotWithWhom(t *testing.T) {
	d := openOnDisk(t)
	var ids []uuid.UUID
	for _, user := range []string{"u1", "u2"} {
		storetest.Identify(t, d.DB, "shop", "user_id", user, "email", "family@example.com")
		ids = append(ids, storetest.One(t, d.DB, "user_id", user).EffaceID)
	}
	found, err := d.Profiles(t.Context(), erasure.System, ids)
	must(t, err)
	for _, p := range found {
		if len(p.Identifiers) != 2 || p.Seen != "" {
			t.Errorf("found is %+v", p)
		}
		for _, h := range p.Identifiers {
			if h.Shared != (h.Key == "email") || len(h.Others) != 0 || h.More != 0 {
				t.Errorf("it holds %+v", h)
			}
		}
	}
	p, err := d.Profile(t.Context(), erasure.System, ids[0])
	if err != nil || p.Seen == "" || !slices.ContainsFunc(p.Identifiers, func(h erasure.HeldIdentifier) bool { return slices.Equal(h.Others, ids[1:]) }) {
		t.Errorf("a look at one is %+v, %v", p, err)
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
	storetest.Requested(t, d.DB, "user_id", "u2")
	d.clock.Advance(24 * time.Hour)
	_, err := d.ClaimDue(t.Context(), 500)
	must(t, err)
	if got := shared(); len(got) != 0 {
		t.Errorf("shared with a profile that is being erased are %q", got)
	}
}

package handlers

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
)

func cancelPath(r erasure.Request) string { return requestPath(r.ID) + "/cancel" }

func TestACancelIsConfirmedByTheUserID(t *testing.T) {
	st := newSite(t)
	p, other := st.merged(), st.person("email", "other@example.com")
	r := st.requested(p)
	b := st.signedIn(erasure.Staff)
	b.get(cancelPath(r)).want(http.StatusOK)
	for pasted, sentence := range map[string]string{
		"":                      "Paste the User ID",
		r.ID.String():           "ID of a deletion request",
		p.Former[0].String():    "former User ID",
		other.EffaceID.String(): "not the User ID of this profile",
		"ann":                   "not a User ID",
	} {
		b.post(cancelPath(r), confirmed(pasted)).refused(http.StatusUnprocessableEntity, sentence).holds("confirm", pasted)
	}
	if got, _ := st.db.Request(t.Context(), r.ID); got.State != erasure.Pending {
		t.Fatalf("a wrong paste made the request %s", got.State)
	}
	b.post(cancelPath(r), confirmed(" "+p.EffaceID.String()+"\u200b")).leadsTo(requestPath(r.ID))
	b.get(requestPath(r.ID)).notice("The request is cancelled")
	if got, _ := st.db.Request(t.Context(), r.ID); got.State != erasure.Cancelled {
		t.Errorf("the request is %s", got.State)
	}
	b.get(profilePath(p.EffaceID)).want(http.StatusOK)
}

// I8: whose request it is can be checked, which is a look; of one that can't be
// cancelled any more there is nothing to check.
func TestTheCancelPageShowsWhoseRequestItIsAndThatIsALook(t *testing.T) {
	st := newSite(t, func(c *Config) { c.KeepCancelled = 30 * 24 * time.Hour })
	r, unknown := st.requested(st.person("email", "ann@example.com")), st.waiting("u-1042")
	b := st.signedIn(erasure.Staff)
	b.get(cancelPath(r)).says(http.StatusOK, "ann@example.com").says(http.StatusOK, "kept for 30 days")
	b.post(cancelPath(r), confirmed("not it")).says(http.StatusUnprocessableEntity, "ann@example.com")
	b.get(cancelPath(unknown)).says(http.StatusOK, "u-1042")
	if n := st.entries(erasure.ProfileViewed); n != 3 {
		t.Errorf("%d looks are logged, want 3", n)
	}
	st.clock.Advance(24 * time.Hour)
	b = st.signedIn(erasure.Staff)
	for _, r := range []erasure.Request{r, unknown} {
		if a := b.get(cancelPath(r)).want(http.StatusConflict); strings.Contains(a.body, "ann@example.com") || strings.Contains(a.body, "u-1042") {
			t.Errorf("a request that can't be cancelled shows\n%s", a.body)
		}
	}
	st.signedIn(erasure.Auditor).get(cancelPath(r)).want(http.StatusForbidden)
	if n := st.entries(erasure.ProfileViewed); n != 3 {
		t.Errorf("%d looks are logged, want 3 still", n)
	}
}

func TestARequestWithoutAProfileIsCancelledByItsOwnID(t *testing.T) {
	st := newSite(t)
	r, other := st.waiting("u1"), st.waiting("u2")
	b := st.signedIn(erasure.Admin)
	b.get(cancelPath(r)).want(http.StatusOK)
	for pasted, sentence := range map[string]string{
		"": "Paste the ID of this request", "u1": "not a request ID", other.ID.String(): "not the ID of this request",
	} {
		b.post(cancelPath(r), confirmed(pasted)).refused(http.StatusUnprocessableEntity, sentence)
	}
	b.post(cancelPath(r), confirmed("ER_"+r.ID.String()[3:]+"\n")).leadsTo(requestPath(r.ID))
}

func TestARequestThatFoundItsProfileMeanwhileAsksForTheUserID(t *testing.T) {
	st := newSite(t)
	r := st.waiting("u1")
	b := st.signedIn(erasure.Admin)
	p := st.person("user_id", "u1")
	a := b.post(cancelPath(r), confirmed(r.ID.String())).refused(http.StatusUnprocessableEntity, "paste the User ID shown on this page")
	if a.find("#user-id").Text() != p.EffaceID.String() {
		t.Errorf("the page does not show the User ID\n%s", a.body)
	}
	b.post(cancelPath(r), confirmed(p.EffaceID.String())).leadsTo(requestPath(r.ID))
}

func TestACancelTwiceIsToldAsSuch(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1")
	r := st.requested(p)
	b := st.signedIn(erasure.Staff)
	b.post(cancelPath(r), confirmed(p.EffaceID.String())).leadsTo(requestPath(r.ID))
	a := b.post(cancelPath(r), confirmed(p.EffaceID.String())).refused(http.StatusConflict, "cancelled before")
	if a.find("#confirm").Length() != 0 {
		t.Error("the form is offered once more")
	}
	b.get(cancelPath(r)).refused(http.StatusConflict, "cancelled before")
	if n := st.entries(erasure.RequestCancelled); n != 1 {
		t.Errorf("%d cancels are logged", n)
	}
}

func TestACancelTooLateIsToldAsSuch(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1")
	r := st.requested(p)
	st.clock.Advance(24 * time.Hour) // the window has passed, whether or not a runner came by
	b := st.signedIn(erasure.Staff)
	b.get(cancelPath(r)).refused(http.StatusConflict, "window has passed")
	b.post(cancelPath(r), confirmed(p.EffaceID.String())).refused(http.StatusConflict, "window has passed")
	if _, err := st.db.ClaimDue(t.Context(), 500); err != nil {
		t.Fatal(err)
	}
	b.post(cancelPath(r), confirmed(p.EffaceID.String())).refused(http.StatusConflict, "window has passed")
	st.erase()
	st.signedIn(erasure.Staff).post(cancelPath(r), confirmed(p.EffaceID.String())).refused(http.StatusConflict, "completed")
	if n := st.entries(erasure.RequestCancelled); n != 0 {
		t.Errorf("%d cancels are logged", n)
	}
}

func TestOfCancelsAtOnceOneSucceeds(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1")
	r := st.requested(p)
	b := st.signedIn(erasure.Staff)
	answers := make([]reply, 8)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = b.post(cancelPath(r), confirmed(p.EffaceID.String())) })
	}
	all.Wait()
	done := 0
	for _, a := range answers {
		if a.status == http.StatusSeeOther {
			done++
			continue
		}
		a.refused(http.StatusConflict, "cancelled before")
	}
	if n := st.entries(erasure.RequestCancelled); done != 1 || n != 1 {
		t.Errorf("%d cancels succeeded and %d are logged", done, n)
	}
}

package handlers

import (
	"net/http"
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
		r.ID.String():           "id of a deletion request",
		p.Former[0].String():    "former User ID",
		other.EffaceID.String(): "another profile",
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

func TestARequestWithoutAProfileIsCancelledByItsOwnID(t *testing.T) {
	st := newSite(t)
	r, other := st.waiting("u1"), st.waiting("u2")
	b := st.signedIn(erasure.Admin)
	b.get(cancelPath(r)).want(http.StatusOK)
	for pasted, sentence := range map[string]string{
		"": "Paste the id of this request", "u1": "not a request id", other.ID.String(): "another request",
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
	a := b.post(cancelPath(r), confirmed(r.ID.String())).refused(http.StatusUnprocessableEntity, "paste the User ID of this profile")
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

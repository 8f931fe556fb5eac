package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
)

func TestARequestShowsStaffWhatWasAskedAndAuditorsNot(t *testing.T) {
	st := newSite(t)
	st.person("email", "ann@example.com")
	r, _, err := st.db.RequestErasure(t.Context(), erasure.NewRequest{
		Asked: erasure.Identifier{Table: erasure.User, Key: "email", Value: "ann@example.com"}, Origin: erasure.API,
		Actor: erasure.System, Reason: "asked on paper", Reference: "T-1"})
	if err != nil {
		t.Fatal(err)
	}
	// I8: a page that shows the identifier is a look, one that does not is none.
	text := st.signedIn(erasure.Auditor).get(requestPath(r.ID)).want(http.StatusOK).find("main").Text()
	if strings.Contains(text, "ann@example.com") || strings.Contains(text, "asked on paper") || !strings.Contains(text, "T-1") {
		t.Errorf("an auditor sees %q", text)
	}
	if n := st.entries(erasure.ProfileViewed); n != 0 {
		t.Errorf("%d looks are logged, want none", n)
	}
	text = st.signedIn(erasure.Staff).get(requestPath(r.ID)).want(http.StatusOK).find("main").Text()
	if !strings.Contains(text, "ann@example.com") || !strings.Contains(text, "asked on paper") {
		t.Errorf("staff sees %q", text)
	}
	if n := st.entries(erasure.ProfileViewed); n != 1 {
		t.Errorf("%d looks are logged, want 1", n)
	}
	st.erase()
	text = st.signedIn(erasure.Admin).get(requestPath(r.ID)).want(http.StatusOK).find("main").Text()
	if strings.Contains(text, "ann@example.com") || strings.Contains(text, "asked on paper") || !strings.Contains(text, "Completed") {
		t.Errorf("after the erasure the page shows %q", text)
	}
}

func TestAnUnknownRequestIsNotFound(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Admin)
	for _, id := range []string{erasure.NewRequestID(time.Now()).String(), "er_x", "eb_01kjma0fm0e00a7wdaf20b3nzh", "1"} {
		b.get("/requests/"+id).says(http.StatusNotFound, "no such deletion request")
		b.get("/requests/"+id+"/cancel").says(http.StatusNotFound, "no such deletion request")
		b.post("/requests/"+id+"/cancel", confirmed("x")).says(http.StatusNotFound, "no such deletion request")
	}
}

// A page that is left open does not go on saying what was true, and what it
// shows by itself is no look at anybody.
func TestThePageOfARequestTurnsWithItsState(t *testing.T) {
	st := newSite(t)
	r := st.requested(st.person("email", "ann@example.com"))
	b := st.signedIn(erasure.Staff)
	page := b.get(requestPath(r.ID))
	if page.find("#cancel a").Length() != 1 || page.find("#user a").Length() != 1 {
		t.Fatal("the page of a pending request leads neither to its cancel nor to the profile")
	}
	poll := func(a reply) (string, string) {
		path, _ := a.find("#progress").Attr("hx-get")
		trigger, _ := a.find("#progress").Attr("hx-trigger")
		return path, trigger
	}
	asked := func(path string) reply {
		return b.get(path, "HX-Request", "true", "HX-Current-URL", b.url+requestPath(r.ID))
	}
	path, trigger := poll(page)
	if trigger != "every 30s" {
		t.Errorf("the page polls %q", trigger)
	}
	asked(path).want(http.StatusNoContent)
	st.clock.Advance(24*time.Hour - time.Minute)
	b = st.signedIn(erasure.Staff)
	path, trigger = poll(asked(path).want(http.StatusOK))
	if trigger != "every 2s" {
		t.Errorf("near the end it polls %q", trigger)
	}
	looks := st.entries(erasure.ProfileViewed)
	st.erase()
	b = st.signedIn(erasure.Staff)
	a := asked(path).want(http.StatusOK)
	if next, _ := poll(a); next != "" {
		t.Error("a completed request is polled for ever")
	}
	for part, want := range map[string]string{"standing": "CompletedErased and checked, traces being cleared within a day", "cancel": "", "asked": "Erased with the person",
		"reason": "Erased with the person, if one was given", "said": "The request is now: Completed."} {
		if text := strings.TrimSpace(a.find(`[hx-swap-oob="innerHTML:#` + part + `"]`).Text()); text != want {
			t.Errorf("#%s says %q", part, text)
		}
	}
	if a.find(`[hx-swap-oob="innerHTML:#user"]`).Length() != 1 || a.find(`[hx-swap-oob="innerHTML:#user"] a`).Length() != 0 {
		t.Error("it still leads to the profile")
	}
	if n := st.entries(erasure.ProfileViewed); n != looks {
		t.Errorf("%d looks are logged by polls", n-looks)
	}
}

// Whoever confirms, cancels or reads afterwards is told that another profile is
// about the same person.
func TestARequestTellsWhomItKeepsApart(t *testing.T) {
	st := newSite(t)
	erased, stays := st.person("user_id", "u1"), st.person("email", "ann@example.com")
	r := st.requested(erased)
	b := st.signedIn(erasure.Staff)
	listed := func(path string, other erasure.Profile) int {
		return b.get(path).want(http.StatusOK).find("section:has(#held-up-title) a[href='" + profilePath(other.EffaceID) + "']").Length()
	}
	if listed(requestPath(r.ID), stays) != 0 {
		t.Error("somebody is kept apart before anything says that they are one")
	}
	st.person("user_id", "u1", "email", "ann@example.com")
	if listed(requestPath(r.ID), stays) != 1 {
		t.Error("the request's page does not lead to the profile that it keeps apart")
	}
	if listed(profilePath(stays.EffaceID)+"/delete", erased) != 1 {
		t.Error("the form of the other profile does not lead to the one whose request is open")
	}
	st.erase()
	b = st.signedIn(erasure.Staff)
	if listed(requestPath(r.ID), stays) != 1 {
		t.Error("the page of the completed request does not lead to the profile that was not erased")
	}
	if listed(profilePath(stays.EffaceID)+"/delete", erased) != 0 {
		t.Error("the form of the one who stays leads to the erased one")
	}
	text := words(st.signedIn(erasure.Auditor).get(requestPath(r.ID)).want(http.StatusOK).find("section:has(#held-up-title)"))
	if !strings.Contains(text, "not erased with it") || !strings.Contains(text, stays.EffaceID.String()) {
		t.Errorf("an auditor reads %q", text)
	}
}

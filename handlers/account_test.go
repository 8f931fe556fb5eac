package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
)

func TestANewPasswordEndsTheOtherSessions(t *testing.T) {
	st := newSite(t)
	ann := st.operator("ann@example.com", erasure.Auditor)
	here, there := st.browserOf(ann), st.browserOf(ann)
	for _, form := range []url.Values{
		{}, {"current": {goodPassword}, "password": {"short"}}, {"current": {"not the right one"}, "password": {"another good long one"}},
	} {
		a := here.post("/account/password", form).want(http.StatusUnprocessableEntity)
		if a.find("[role=alert] li").Length() == 0 {
			t.Errorf("%v: nothing is said\n%s", form, a.body)
		}
	}
	there.get("/account").want(http.StatusOK)
	here.post("/account/password", url.Values{"current": {goodPassword}, "password": {"another good long one"}}).leadsTo("/account")
	if a := here.get("/account").want(http.StatusOK); !strings.Contains(a.find("[role=status]").Text(), "password is changed") {
		t.Errorf("nothing is said\n%s", a.body)
	}
	there.get("/account").leadsTo("/login")
	st.browser().login("ann@example.com", "another good long one").leadsTo("/")
}

func TestOwnSessionsAreEndedFromTheAccountPage(t *testing.T) {
	st := newSite(t)
	ann := st.invited("ann@example.com", erasure.Staff)
	here, there := st.browserOf(ann), st.browserOf(ann)
	path, ok := here.get("/account").find("form[action^='/account/sessions/']").Attr("action")
	if !ok {
		t.Fatal("the other session can't be ended")
	}
	st.signedIn(erasure.Staff).post(path, nil).leadsTo("/account")
	there.get("/account").want(http.StatusOK) // it is not anybody else's to end
	here.post(path, nil).leadsTo("/account")
	there.get("/account").leadsTo("/login")
	here.get("/account").want(http.StatusOK)
}

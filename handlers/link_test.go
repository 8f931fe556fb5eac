package handlers

import (
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

func TestALinkThatOpensNothingSaysWhatToDo(t *testing.T) {
	st := newSite(t)
	b := st.browser()
	unset := "/link/" + st.link(store.SetupLink, uuid.Nil)
	st.clock.Advance(store.LinkLife)
	b.get(unset).says(http.StatusNotFound, "Start the server again")
	used := "/link/" + st.link(store.SignInLink, st.invited("ann@example.com", erasure.Staff).ID)
	st.browser().post(used, nil).leadsTo("/")
	for _, a := range []reply{b.get(used), b.post(used, nil)} {
		a.says(http.StatusNotFound, "This link has been used or has expired").says(http.StatusNotFound, "ask an admin for a new link")
		wantReference(t, st, a)
		if a.find("a[href='/login']").Length() != 1 {
			t.Errorf("nothing leads to the sign-in\n%s", a.body)
		}
	}
}

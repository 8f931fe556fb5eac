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

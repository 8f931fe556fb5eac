package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
)

func TestActivityTellsWhoDidWhatAPageAtATime(t *testing.T) {
	st := newSite(t)
	ann := st.invited("ann@example.com", erasure.Staff)
	p := st.person("email", "somebody@example.com")
	b := st.browserOf(ann)
	for range rowsPerPage {
		b.get(profilePath(p.EffaceID)).want(http.StatusOK)
	}
	auditor := st.signedIn(erasure.Auditor)
	a := auditor.get("/activity").want(http.StatusOK)
	if text := a.find("main").Text(); !strings.Contains(text, "ann@example.com") || !strings.Contains(text, p.EffaceID.String()) ||
		strings.Contains(text, "somebody@example.com") {
		t.Errorf("the page shows %s", text)
	}
	older, _ := a.find("a[rel=next]").Attr("href")
	if n := auditor.get(older).want(http.StatusOK).find("tbody tr").Length(); a.find("tbody tr").Length() != rowsPerPage || n == 0 {
		t.Errorf("the page after %q has %d rows", older, n)
	}
	auditor.get("/activity?cursor=x").want(http.StatusUnprocessableEntity)
	st.signedIn(erasure.Admin).get("/activity").want(http.StatusOK)
	b.get("/activity").want(http.StatusForbidden)
}

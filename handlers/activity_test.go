package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// activity reads who, what and about from each row that Activity shows,
// oldest first.
func (b *browser) activity() (rows []string) {
	b.t.Helper()
	b.get("/activity").want(http.StatusOK).find("tbody tr").Each(func(_ int, row *goquery.Selection) {
		var cells []string
		for _, cell := range []int{1, 2, 3} {
			cells = append(cells, strings.Join(strings.Fields(row.Find("td").Eq(cell).Text()), " "))
		}
		rows = append(rows, strings.Join(cells, " | "))
	})
	slices.Reverse(rows)
	return rows
}

func TestActivitySaysWhichOperatorOrKeyAndWhatChanged(t *testing.T) {
	st := newSite(t)
	ann := st.invited("ann@example.com", erasure.Admin)
	admin := st.browserOf(ann)
	began := len(admin.activity())
	admin.post("/settings/operators", url.Values{"email": {"bob@example.com"}, "role": {"operator"}}).leadsTo("/settings/operators")
	bob, err := st.db.OperatorByEmail(t.Context(), "bob@example.com")
	if err != nil {
		t.Fatal(err)
	}
	b := st.browser()
	link := admin.get("/settings/operators").find("#one-time-link").Text()
	b.post(strings.TrimPrefix(link, st.url), url.Values{"password": {goodPassword}}).leadsTo("/")
	b.post("/account/password", url.Values{"current": {goodPassword}, "password": {"another good long one"}}).leadsTo("/account")
	b.post("/logout", nil).leadsTo("/login")
	b.login("bob@example.com", goodPassword).want(http.StatusUnauthorized)

	page := "/settings/operators/" + bob.ID.String()
	for range 2 { // the second time nothing changes
		admin.post(page+"/role", url.Values{"role": {"auditor"}}).leadsTo(page)
	}
	admin.post(page+"/disabled", url.Values{"disabled": {"yes"}}).leadsTo(page)
	admin.post(page+"/disabled", url.Values{"disabled": {"no"}}).leadsTo(page)
	admin.post(page+"/reset", nil).leadsTo(page)
	if _, _, err := st.db.CreateKey(t.Context(), erasure.Terminal, store.NewKey{Name: "crm", Scopes: []erasure.Scope{erasure.ScopeProfilesRead}}); err != nil {
		t.Fatal(err)
	}
	if err := st.db.RevokeKey(t.Context(), erasure.Actor{Kind: erasure.ByOperator, ID: ann.ID}, "crm"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ann@example.com | Added an operator with the role Operator | bob@example.com",
		"ann@example.com | Made a one-time link for a new password | bob@example.com",
		"bob@example.com | Set a password with a one-time link | bob@example.com",
		"bob@example.com | Signed in | bob@example.com",
		"bob@example.com | Changed their password | bob@example.com",
		"bob@example.com | Signed out | bob@example.com",
		"ann@example.com | Changed the role from Operator to Auditor | bob@example.com",
		"ann@example.com | Disabled an operator | bob@example.com",
		"ann@example.com | Enabled an operator | bob@example.com",
		"ann@example.com | Made a one-time link for a new password | bob@example.com",
		"terminal | Made an API key | key:crm",
		"ann@example.com | Revoked an API key | key:crm",
	}
	if got := admin.activity()[began:]; !slices.Equal(got, want) {
		t.Errorf("Activity says\n%s\nand not\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestActivityTellsAnEndedSession(t *testing.T) {
	st := newSite(t)
	ann := st.invited("ann@example.com", erasure.Admin)
	here := st.browserOf(ann)
	st.browserOf(ann)
	path, _ := here.get("/account").find("form[action^='/account/sessions/']").Attr("action")
	here.post(path, nil).leadsTo("/account")
	here.post(path, nil).leadsTo("/account") // it is over: no entry
	rows := here.activity()
	if last := rows[len(rows)-1]; last != "ann@example.com | Ended one of their sessions | ann@example.com" || strings.Contains(rows[len(rows)-2], "Ended") {
		t.Errorf("Activity says\n%s", strings.Join(rows, "\n"))
	}
}

// The key of a cancelled request goes a month after the cancel, and its person
// may stay for years.
func TestActivitySaysWhomARequestWasAboutForAsLongAsTheyExist(t *testing.T) {
	st := newSite(t)
	p := st.person("email", "somebody@example.com")
	cancelled := st.requested(p)
	if _, err := st.db.Cancel(t.Context(), cancelled.ID, erasure.System, erasure.API); err != nil {
		t.Fatal(err)
	}
	waiting := st.waiting("nobody")
	about := func(want ...string) {
		t.Helper()
		var got []string
		for _, row := range st.signedIn(erasure.Auditor).activity() {
			if strings.Contains(row, cancelled.ID.String()) || strings.Contains(row, waiting.ID.String()) {
				got = append(got, row)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("Activity says\n%s\nand not\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	rows := func(id string) []string {
		return []string{
			"system | Requested a deletion | " + cancelled.ID.String() + id,
			"system | Cancelled a request | " + cancelled.ID.String() + id,
			"system | Requested a deletion | " + waiting.ID.String(),
		}
	}
	about(rows(" " + p.EffaceID.String())...)
	for range 2 { // a key that nothing names goes at the second sweep
		st.clock.Advance(31 * 24 * time.Hour)
		if _, err := st.db.Sweep(t.Context(), store.SweepOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	about(rows(" " + p.EffaceID.String())...)
	st.requested(p)
	st.erase()
	about(append(rows(""),
		"system | Started an erasure | "+waiting.ID.String(),
		"system | Destroyed the keys | "+waiting.ID.String(),
		"system | Completed an erasure | "+waiting.ID.String())...)
}

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

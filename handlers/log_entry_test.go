package handlers

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
)

// An auditor comes from a request in the Deletion Logs to its newest entry, and
// takes away what proves its place.
func TestAnAuditorTakesAnEntryWithItsProofAway(t *testing.T) {
	st := newSite(t)
	p := st.person("email", "ann@example.com")
	r := st.requested(p)
	b := st.signedIn(erasure.Auditor)
	link := b.get("/logs").find("#row-" + r.ID.String() + " td.num a")
	path, _ := link.Attr("href")
	page := b.get(path).want(http.StatusOK)
	text := page.find("main").Text()
	for _, says := range []string{link.Text(), "Requested a deletion", r.ID.String(), p.EffaceID.String(), "2026-03-01 09:00:00 UTC", st.db.LogKey()} {
		if !strings.Contains(text, says) {
			t.Errorf("the page does not say %q:\n%s", says, text)
		}
	}
	download, _ := page.find("a[download]").Attr("href")
	file := b.get(download).want(http.StatusOK)
	v, err := evidence.ParseVerifier(st.db.LogKey())
	if err != nil {
		t.Fatal(err)
	}
	e, err := evidence.VerifyEntry([]byte(file.body), v)
	index := strconv.FormatInt(e.Index, 10)
	if err != nil || e.Kind != erasure.RequestCreated || path != "/logs/entries/"+index {
		t.Errorf("the file of %s is of entry %s, %s: %v", path, index, e.Kind, err)
	}
	if name := file.header.Get("Content-Disposition"); name != `attachment; filename="entry-`+index+`.json"` {
		t.Errorf("the file is named %s", name)
	}
	for _, says := range append(e.Proof, e.Leaf.String(), e.Signed) {
		if !strings.Contains(text, says) {
			t.Errorf("the page does not show %q of the file", says)
		}
	}
	if rows := b.activity(); !strings.Contains(rows[e.Index], "Requested a deletion") {
		t.Errorf("Activity has at its place %s", rows[e.Index])
	}
	activity, _ := b.get("/activity").find("tbody tr").Last().Find("td.num a").Attr("href")
	if activity != "/logs/entries/0" {
		t.Errorf("the first entry of Activity leads to %q", activity)
	}
	if n := st.entries(erasure.ProfileViewed) + st.entries(erasure.LogsExported); n != 0 {
		t.Errorf("%d of these looks are logged; Activity's are not", n)
	}
}

func TestThereIsNoPageOfAnEntryThatIsNot(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Auditor)
	for _, index := range []string{"999999", "-1", "+0", "00", "0x0", "99999999999999999999", "ann@example.com"} {
		for _, path := range []string{"/logs/entries/" + index, "/logs/entries/" + index + "/entry.json"} {
			a := b.get(path).says(http.StatusNotFound, "there is no such entry in the deletion log")
			if strings.Contains(a.body, "ann@") {
				t.Errorf("%s is repeated on the page", path)
			}
		}
	}
	staff := st.signedIn(erasure.Staff)
	staff.get("/logs/entries/0").want(http.StatusForbidden)
	staff.get("/logs/entries/0/entry.json").want(http.StatusForbidden)
}

// Everybody sees where a request stands in the log; those who may open an
// entry have a link to it. A look moves nothing.
func TestARequestShowsItsEntries(t *testing.T) {
	st := newSite(t)
	r := st.requested(st.person("email", "ann@example.com"))
	row, entries := "#row-"+r.ID.String()+" td.num:last-child", "#progress .card:last-child tbody tr"
	staff, auditor := st.signedIn(erasure.Staff), st.signedIn(erasure.Auditor)
	before := staff.get("/logs").find(row)
	if before.Find("a").Length() != 0 || !regexp.MustCompile(`^\s*Entry \d+\s*$`).MatchString(before.Text()) {
		t.Errorf("staff see %q", before.Text())
	}
	if n := staff.get(requestPath(r.ID)).find(entries).Length(); n != 1 {
		t.Errorf("a new request has %d entries", n)
	}
	poll, _ := auditor.get("/logs").poll()
	progress, _ := auditor.get(requestPath(r.ID)).find("#progress").Attr("hx-get")
	if text := auditor.get("/logs").find(row).Text(); text != before.Text() {
		t.Errorf("a look moved the entry from %s to %s", before.Text(), text)
	}
	auditor.pollRows(poll).want(http.StatusNoContent)
	auditor.get(progress, "HX-Request", "true").want(http.StatusNoContent)
	if _, err := st.db.Cancel(t.Context(), r.ID, erasure.System, erasure.API); err != nil {
		t.Fatal(err)
	}
	if text := auditor.pollRows(poll).want(http.StatusOK).find(row).Text(); text == before.Text() {
		t.Error("a cancel did not move the entry")
	}
	a := auditor.get(progress, "HX-Request", "true").want(http.StatusOK)
	if rows := a.find(entries); rows.Length() != 2 || !strings.Contains(rows.Last().Text(), "Cancelled a request") || rows.Find("a[href^='/logs/entries/']").Length() != 2 {
		t.Errorf("the request's entries are %s", rows.Text())
	}
}

package handlers

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func TestAListIsConfirmedByTheCountOfItsProfiles(t *testing.T) {
	st := newSite(t, func(c *Config) { c.CancelWindow = 24 * time.Hour })
	b := st.signedIn(erasure.Staff)
	path := b.checked(st.people(3))
	b.get(path).says(http.StatusOK, "requests the deletion of 3 profiles").says(http.StatusOK, "start 24 hours after that")
	for typed, sentence := range map[string]string{
		"":         "Type the number of profiles of this list, 3, to confirm.",
		" ":        "Type the number of profiles of this list, 3, to confirm.",
		"three":    "Type the number of profiles of this list in digits: 3.",
		"-3":       "in digits: 3.",
		"4":        "That is not the number of profiles of this list, which is 3",
		"33":       "That is not the number of profiles of this list, which is 3",
		"<b>3</b>": "in digits: 3.",
	} {
		b.post(path, confirmed(typed)).refused(http.StatusUnprocessableEntity, sentence).holds("confirm", typed)
	}
	if n := len(st.requests()); n != 0 || st.bulkOf(path).Stage != erasure.Checked {
		t.Errorf("%d requests, and the list is %s", n, st.bulkOf(path).Stage)
	}
	b.post(path, confirmed(" 3\u200b")).leadsTo(path)
	if st.bulkOf(path).Stage != erasure.Queueing {
		t.Errorf("the list is %s", st.bulkOf(path).Stage)
	}
}

func TestACountMayBeTypedAsThePageShowsIt(t *testing.T) {
	for typed, right := range map[string]bool{"1,234": true, "1234": true, " 1 234 ": true, "1\u202f234": true, "\u00a01234": true,
		"1.234": false, "1235": false, "99999999999999999999": false, "١٢٣٤": false} {
		if got := wrongCount(typed, 1234, "profiles") == nil; got != right {
			t.Errorf("%q is right: %v", typed, got)
		}
	}
	if got := wrongCount("", 1234, "profiles")[0].Sentence; !strings.Contains(got, "1,234") {
		t.Errorf("the sentence is %q", got)
	}
}

func TestADoubleClickConfirmsOnce(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	path := b.checked(st.people(2))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { b.post(path, confirmed("2")).leadsTo(path) })
	}
	all.Wait()
	b.queue(path)
	if n := len(st.requests()); n != 2 {
		t.Errorf("%d requests were made", n)
	}
}

func TestAFormSentAgainOrBySomebodyElseIsToldWhoWasFirst(t *testing.T) {
	st := newSite(t)
	ann, bob := st.browserOf(st.invited("ann@staff.example", erasure.Staff)), st.browserOf(st.invited("bob@staff.example", erasure.Staff))
	path := ann.checked(st.people(2))
	bob.get(path).says(http.StatusOK, "Check the counts, then confirm")
	ann.post(path, confirmed("2")).leadsTo(path)
	for _, b := range []*browser{bob, ann} {
		b.post(path, confirmed("2")).leadsTo(path)
		b.get(path).notice("This list was confirmed before, by ann@staff.example: this is its batch.")
	}
	bob.post(path+"/discard", nil).leadsTo(path)
	bob.get(path).notice("confirmed before it was given up: its batch can be cancelled here instead")
	ann.queue(path)
	ann.post(path, confirmed("2")).leadsTo(path)
	ann.get(path).notice("This list was confirmed before")
	if n := len(st.requests()); n != 2 {
		t.Errorf("%d requests were made", n)
	}
}

func TestAListThatIsStillCheckedIsNotConfirmed(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	path := b.uploaded(st.people(2))
	b.post(path, confirmed("2")).leadsTo(path)
	b.get(path).notice("The list is still being checked")
	b.get(path+"/cancel").says(http.StatusConflict, "Give the list up on its page instead")
	b.get(path+"/results.csv").says(http.StatusConflict, "Wait until the list is queued")
	if st.bulkOf(path).Stage != erasure.Checking {
		t.Errorf("the list is %s", st.bulkOf(path).Stage)
	}
}

func TestAListOfNobodyHasNothingToConfirm(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	path := b.checked("email\nnobody@example.com\n")
	a := b.get(path).says(http.StatusOK, "there is nothing to confirm")
	if a.find("#confirm").Length() != 0 || a.find("#discard").Length() != 1 {
		t.Error("the page asks for a count, or does not offer to give the list up")
	}
}

func TestTheFirstRefusedLinesAreShown(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	path := b.checked("efface_id\n" + strings.Repeat("ann@example.com\n", 1200))
	a := b.get(path).says(http.StatusOK, "(the first 100 of 1,200)")
	rows := a.find("table").Eq(1).Find("tbody tr")
	if rows.Length() != 100 || !strings.HasPrefix(strings.TrimSpace(rows.First().Text()), "2Give the whole User ID") || strings.Contains(a.body, "ann@example.com") {
		t.Errorf("%d lines are shown, the first is %q", rows.Length(), rows.First().Text())
	}
}

const goneList = "it was given up or was not confirmed in time, and nothing of it was requested"

func TestAListThatIsGivenUpIsGone(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	for _, path := range []string{b.uploaded(st.people(2)), b.checked("user_id\nu0\n")} {
		b.post(path+"/discard", nil).leadsTo("/bulk")
		b.get("/bulk").notice("The list is given up: nothing of it was requested.")
		b.post(path+"/discard", nil).leadsTo("/bulk")
		b.get("/bulk").notice("The list was gone already: nothing of it was requested.")
		for _, page := range []string{path, path + "/cancel", path + "/results.csv"} {
			b.get(page).says(http.StatusNotFound, goneList)
		}
		b.post(path, confirmed("2")).says(http.StatusNotFound, goneList)
		b.post(path+"/cancel", confirmed("2")).says(http.StatusNotFound, goneList)
		poll := b.get(path+"/progress?stage=checking&v=x", "HX-Request", "true").want(http.StatusNotFound)
		if poll.header.Get("HX-Refresh") != "true" {
			t.Error("a page that is open does not learn that the list is gone")
		}
	}
	st.keepsNoList()
	b.get("/bulk/"+erasure.NewBatchID(time.Now()).String()).says(http.StatusNotFound, goneList)
	b.get("/bulk/ann@example.com").says(http.StatusNotFound, "there is no such page")
	b.post("/bulk/ann@example.com/discard", nil).says(http.StatusNotFound, "there is no such page")
}

func TestAListThatIsNotConfirmedExpires(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	path := b.checked(st.people(1))
	b.get(path).says(http.StatusOK, "2026-03-02 09:00:00 UTC")
	st.clock.Advance(erasure.BulkLife)
	b = st.signedIn(erasure.Staff)
	b.get(path).says(http.StatusNotFound, goneList)
	b.post(path, confirmed("1")).says(http.StatusNotFound, goneList)
	b.post(path+"/discard", nil).leadsTo("/bulk")
	if len(st.requests()) != 0 {
		t.Error("something was requested")
	}
}

// stagePoll returns what a list's page asks for, and how often.
func (a reply) stagePoll() (path, trigger string) {
	path, _ = a.find("#stage").Attr("hx-get")
	trigger, _ = a.find("#stage").Attr("hx-trigger")
	return path, trigger
}

func (b *browser) pollStage(path string) reply {
	b.t.Helper()
	return b.get(path, "HX-Request", "true", "HX-Current-URL", b.url+"/bulk")
}

func TestThePageOfAListTurnsWithItsStage(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	path := b.uploaded(st.people(2))
	id := st.bulkOf(path).ID
	poll, trigger := b.get(path).stagePoll()
	if trigger != "every 1s" {
		t.Fatalf("the page asks %q", trigger)
	}
	b.pollStage(poll).want(http.StatusNoContent)
	if err := st.db.CheckBulk(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	a := b.pollStage(poll).says(http.StatusOK, "")
	if said := a.find(`[hx-swap-oob="innerHTML:#said"]`).Text(); said != "The list is checked. It leads to 2 profiles that can be deleted." || a.find("html nav").Length() != 0 {
		t.Errorf("the turn is said as %q", said)
	}
	if next, _ := a.stagePoll(); next != "" || a.find("#confirm").Length() != 1 {
		t.Errorf("a checked list asks for itself again, or for no count\n%s", a.body)
	}
	b.post(path, confirmed("2"))
	page := b.get(path).says(http.StatusOK, "0 of 2 lines")
	if page.find("#said").Length() != 1 || page.find("[hx-swap-oob]").Length() != 0 {
		t.Error("a page says that it turned")
	}
	poll, _ = page.stagePoll()
	b.queue(path)
	a = b.pollStage(poll).want(http.StatusOK)
	if !strings.Contains(a.body, "Deletion requested for 2 profiles") || a.find("[hx-swap-oob]").Length() != 1 {
		t.Errorf("the poll shows\n%s", a.body)
	}
	poll, trigger = a.stagePoll()
	if trigger != "every 30s" {
		t.Errorf("a batch that is done asks %q", trigger)
	}
	b.pollStage(poll).want(http.StatusNoContent)
	st.clock.Advance(24*time.Hour - 30*time.Second)
	b = st.signedIn(erasure.Staff)
	poll, trigger = b.get(path).stagePoll()
	if trigger != "every 2s" {
		t.Errorf("before its window ends the page asks %q", trigger)
	}
	st.clock.Advance(time.Minute)
	st.erase()
	b = st.signedIn(erasure.Staff)
	a = b.pollStage(poll).want(http.StatusOK)
	if next, _ := a.stagePoll(); next != "" || a.find("[hx-swap-oob]").Length() != 0 || a.find("#cancel").Length() != 0 {
		t.Errorf("a completed batch is asked for again, said to have turned, or can be cancelled\n%s", a.body)
	}
}

func TestABatchIsCancelledByTheCountOfItsPendingRequests(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	path := b.queued(st.people(1200))
	cancel := path + "/cancel"
	b.get(path).says(http.StatusOK, "Cancel this batch")
	b.get(cancel).says(http.StatusOK, "to confirm: 1,200")
	b.post(cancel, confirmed("12")).refused(http.StatusUnprocessableEntity, "That is not the number of requests that can be cancelled, which is 1,200").holds("confirm", "12")
	one := st.requests()[7]
	if _, err := st.db.Cancel(t.Context(), one.ID, erasure.System, erasure.API); err != nil {
		t.Fatal(err)
	}
	b.post(cancel, confirmed("1,200")).refused(http.StatusUnprocessableEntity, "which is 1,199")
	b.post(cancel, confirmed("1,199")).leadsTo(path)
	b.get(path).notice("Requests cancelled: 1,199.").says(http.StatusOK, "The batch is cancelled")
	b.get(cancel).refused(http.StatusConflict, "This batch was cancelled before: nothing is left to do.")
	b.post(cancel, confirmed("1,199")).refused(http.StatusConflict, "cancelled before")
	if a := b.get(path); a.find("#cancel").Length() != 0 || a.find(".confirmation").Length() != 0 {
		t.Error("a cancelled batch is confirmed, or can be cancelled")
	}
}

func TestABatchIsCancelledInsideItsWindowAlone(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	path := b.queued(st.people(2))
	st.clock.Advance(24 * time.Hour)
	b = st.signedIn(erasure.Staff)
	const sentence = "The cancel window has passed"
	b.get(path+"/cancel").refused(http.StatusConflict, sentence)
	b.post(path+"/cancel", confirmed("2")).refused(http.StatusConflict, sentence)
	if n := b.get(path).find("#cancel").Length(); n != 0 {
		t.Error("a cancel is offered")
	}
	st.erase()
	b = st.signedIn(erasure.Staff)
	b.get(path+"/cancel").refused(http.StatusConflict, "what was erased cannot be brought back")
}

func TestACancelWhileAListIsQueuedEndsThat(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	path := b.checked(st.people(2))
	b.post(path, confirmed("2")).leadsTo(path)
	b.get(path).says(http.StatusOK, "Cancel this batch")
	b.get(path+"/cancel").says(http.StatusOK, "to confirm: 2")
	b.post(path+"/cancel", confirmed("2")).leadsTo(path)
	b.get(path).notice("The batch is cancelled before a request was made.")
	b.queue(path)
	if list := st.bulkOf(path); list.Stage != erasure.Done || len(st.requests()) != 0 {
		t.Errorf("the list is %s, with %d requests", list.Stage, len(st.requests()))
	}
	b.get(path).says(http.StatusOK, "Nothing was requested")
	b.get(path+"/cancel").refused(http.StatusConflict, "This batch made no request")
}

func TestWhoWasAskedForBetweenCheckAndQueueIsTold(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	path := b.checked(st.people(3))
	st.requested(storetest.One(t, st.db, "user_id", "u1"))
	b.post(path, confirmed("3")).leadsTo(path)
	b.queue(path)
	b.get(path).says(http.StatusOK, "Deletion requested for 2 profiles").says(http.StatusOK, "Of the 3 profiles confirmed, 1 was not requested")
	if body := b.get(path + "/results.csv").want(http.StatusOK).body; !strings.Contains(body, "3,already_requested,er_") {
		t.Errorf("the result is %q", body)
	}
}

func TestTheResultSaysWhatBecameOfEachLine(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	st.people(2)
	path := b.queued("user_id\nu0\nnobody\n\"u1\"\nu0\n\" \"\n")
	a := b.get(path + "/results.csv").want(http.StatusOK)
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || len(rows) != 6 {
		t.Fatalf("the result is %q, %v", a.body, err)
	}
	made := map[string]string{}
	for _, r := range st.requests() {
		made[r.ID.String()] = r.ID.String()
	}
	want := []string{"line result", "2 queued", "3 not_found", "4 queued", "5 already_requested", "6 invalid"}
	for i, row := range rows {
		if got := strings.Join(row[:2], " "); got != want[i] {
			t.Errorf("row %d is %q", i, row)
		}
		if queued := strings.HasSuffix(want[i], "queued") || strings.HasSuffix(want[i], "requested"); i > 0 && (made[row[2]] != "") != queued {
			t.Errorf("row %d names the request %q", i, row[2])
		}
	}
	if !slices.Equal(rows[0], resultColumns) || rows[1][2] != rows[4][2] || rows[5][3] != "Enter a value." || strings.Contains(a.body, "u1") {
		t.Errorf("the result is %q", rows)
	}
	if !strings.Contains(a.header.Get("Content-Disposition"), st.bulkOf(path).ID.String()+".csv") {
		t.Errorf("the file is %q", a.header.Get("Content-Disposition"))
	}
}

func TestALongResultOutlivesTheServersLimits(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	st.people(1)
	lines := 3*rowsPerRead + 1
	path := b.queued("user_id\nu0\n" + strings.Repeat("nobody\n", lines-1))
	hurried := httptest.NewUnstartedServer(st.server.Handler())
	hurried.Config.WriteTimeout = time.Nanosecond
	hurried.Start()
	defer hurried.Close()
	res, err := b.client.Get(hurried.URL + path + "/results.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	rows, err := csv.NewReader(res.Body).ReadAll()
	if err != nil || len(rows) != lines+1 || rows[lines][0] != fmt.Sprint(lines+1) {
		t.Errorf("%d rows came, %v", len(rows), err)
	}
}

func TestAuditorsSeeNoList(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	path := b.checked(st.people(1))
	auditor := st.signedIn(erasure.Auditor)
	for _, page := range []string{"/bulk", path, path + "/progress", path + "/results.csv", path + "/cancel"} {
		auditor.get(page).says(http.StatusForbidden, "Ask an admin")
	}
	auditor.upload("user_id\nu0\n").says(http.StatusForbidden, "Ask an admin")
	auditor.post(path, confirmed("1")).want(http.StatusForbidden)
	auditor.post(path+"/discard", nil).want(http.StatusForbidden)
	if auditor.get("/logs").find(`a[href="/bulk"]`).Length() != 0 || st.bulkOf(path).Stage != erasure.Checked {
		t.Error("an auditor is offered bulk deletion, or got through")
	}
}

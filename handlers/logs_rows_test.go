package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
)

// poll returns what the rows ask for, and how often; "" where they don't.
func (a reply) poll() (path, trigger string) {
	a.t.Helper()
	path, _ = a.find("#rows").Attr("hx-get")
	trigger, _ = a.find("#rows").Attr("hx-trigger")
	return path, trigger
}

// rows puts a polled fragment where the page has it.
func (a reply) rows() reply {
	a.body = "<table>" + a.body + "</table>"
	return a
}

func (b *browser) pollRows(path string) reply {
	b.t.Helper()
	a := b.get(path, "HX-Request", "true", "HX-Current-URL", b.url+"/logs")
	if a.status == http.StatusOK {
		return a.rows()
	}
	return a
}

func TestAPollAnswersNothingUntilARowChanges(t *testing.T) {
	st := newSite(t)
	r := st.requested(st.person("user_id", "u1"))
	b := st.signedIn(erasure.Staff)
	page := b.get("/logs")
	path, trigger := page.poll()
	if trigger != "every 30s" || page.find("[hx-trigger^=every]").Length() != 1 {
		t.Fatalf("the page polls %q", trigger)
	}
	if a := b.pollRows(path).want(http.StatusNoContent); a.body != "" {
		t.Errorf("the answer is %q", a.body)
	}
	st.clock.Advance(30 * time.Second)
	a := b.pollRows(path).want(http.StatusOK)
	if !strings.Contains(a.find("#row-"+r.ID.String()).Text(), "23 h 59 min") {
		t.Errorf("the time left is not counted down: %s", a.body)
	}
	next, _ := a.poll()
	if next == path {
		t.Error("the poll after would be answered alike")
	}
	st.clock.Advance(10 * time.Second) // changes no text
	b.pollRows(next).want(http.StatusNoContent)
	link := "#cancel-" + r.ID.String()
	if page.find(link).Length() != 1 || a.find(link).Length() != 1 {
		t.Error("the link to the cancel page does not keep its id, and so not the focus")
	}
}

func TestAPollHurriesNearTheEndAndStopsAfterIt(t *testing.T) {
	st := newSite(t)
	st.requested(st.person("user_id", "u1"))
	st.clock.Advance(24*time.Hour - 2*time.Minute)
	b := st.signedIn(erasure.Staff)
	path, _ := b.get("/logs").poll()
	st.clock.Advance(time.Minute)
	path, trigger := b.pollRows(path).want(http.StatusOK).poll()
	if trigger != "every 2s" {
		t.Errorf("a minute before the end the page polls %q", trigger)
	}
	st.clock.Advance(time.Minute)
	a := b.pollRows(path).want(http.StatusOK)
	if a.find("[id^=cancel-]").Length() != 0 || !strings.Contains(a.body, "about to start") {
		t.Errorf("after the window the row shows %s", a.body)
	}
	path, _ = a.poll()
	if _, err := st.db.ClaimDue(t.Context(), 500); err != nil {
		t.Fatal(err)
	}
	path, trigger = b.pollRows(path).want(http.StatusOK).poll()
	if trigger != "every 2s" {
		t.Errorf("while it runs the page polls %q", trigger)
	}
	if _, _, err := st.db.DestroyKeys(t.Context(), 500); err != nil {
		t.Fatal(err)
	}
	if _, _, err := st.db.DeleteRows(t.Context(), 4000); err != nil {
		t.Fatal(err)
	}
	a = b.pollRows(path).want(http.StatusOK)
	if path, trigger := a.poll(); path != "" || trigger != "" || !strings.Contains(a.body, "Completed") {
		t.Errorf("at the end the rows are %s", a.body)
	}
	if path, _ := b.get("/logs").poll(); path != "" {
		t.Error("a page without open rows polls")
	}
}

func TestAPollShowsThePagesOwnRowsAndNoOthers(t *testing.T) {
	st := newSite(t)
	old := st.waiting("u1")
	st.clock.Advance(time.Second)
	one := st.requested(st.person("user_id", "u2"))
	st.clock.Advance(time.Second)
	two := st.requested(st.person("user_id", "u3"))
	b := st.signedIn(erasure.Staff)
	all, _ := b.get("/logs").poll()
	pending, _ := b.get("/logs?state=pending&origin=api").lists(two, one).poll()
	st.clock.Advance(40 * time.Second)
	st.requested(st.person("user_id", "u4"))
	if _, err := st.db.Cancel(t.Context(), two.ID, erasure.System, erasure.API); err != nil {
		t.Fatal(err)
	}
	b.pollRows(all).lists(two, one, old)
	a := b.pollRows(pending).lists(one)
	next, _ := a.poll()
	b.pollRows(next).want(http.StatusNoContent)
	if _, err := st.db.Cancel(t.Context(), one.ID, erasure.System, erasure.API); err != nil {
		t.Fatal(err)
	}
	if path, _ := b.pollRows(next).lists().poll(); path != "" {
		t.Error("no row is left, and the poll goes on")
	}
}

func TestAPollIsNoLookAndRenewsNoSession(t *testing.T) {
	st := newSite(t)
	st.requested(st.person("user_id", "u1"))
	b := st.signedIn(erasure.Staff)
	path, _ := b.get("/logs").poll()
	for range 3 {
		b.pollRows(path)
		st.clock.Advance(10 * time.Minute)
	}
	a := b.pollRows(path).want(http.StatusUnauthorized)
	if a.header.Get("HX-Redirect") != "/login" || a.body != "" {
		t.Errorf("without a session the answer is %v and %q", a.header, a.body)
	}
	if next, _ := b.get("/login").find("input[name=next]").Attr("value"); next != "/logs" {
		t.Errorf("sign-in leads back to %q", next)
	}
	if n := st.entries(erasure.ProfileViewed); n != 0 {
		t.Errorf("I8: %d polls are logged as looks", n)
	}
}

func TestAPollWithoutItsRowsIsRefused(t *testing.T) {
	b := newSite(t).signedIn(erasure.Staff)
	for _, path := range []string{"/logs/rows", "/logs/rows?first=x&last=y"} {
		b.get(path, "HX-Request", "true").want(http.StatusBadRequest)
	}
}

func TestTheSoonestRowDecidesHowOftenAPagePolls(t *testing.T) {
	row := func(s erasure.State, left time.Duration) erasure.Request {
		return erasure.Request{State: s, Remaining: left}
	}
	for _, c := range []struct {
		rows []erasure.Request
		want time.Duration
	}{
		{nil, 0},
		{[]erasure.Request{row(erasure.Completed, 0), row(erasure.Cancelled, 0)}, 0},
		{[]erasure.Request{row(erasure.Pending, time.Hour), row(erasure.Completed, 0)}, pollLater},
		{[]erasure.Request{row(erasure.Failed, 0)}, pollLater},
		{[]erasure.Request{row(erasure.Pending, time.Hour), row(erasure.Pending, time.Minute)}, pollSoon},
		{[]erasure.Request{row(erasure.InProgress, 0), row(erasure.Pending, time.Hour)}, pollSoon},
	} {
		if got := pollEvery(c.rows); got != c.want {
			t.Errorf("%+v gives %s", c.rows, got)
		}
	}
}

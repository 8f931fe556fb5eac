package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/efface/efface/store/erasure"
)

// listed returns the ids of the requests that a page lists, in its order.
func (a reply) listed() (ids []string) {
	a.t.Helper()
	a.find("#rows tr").Each(func(_ int, row *goquery.Selection) {
		id, _ := row.Attr("id")
		ids = append(ids, strings.TrimPrefix(id, "row-"))
	})
	return ids
}

func (a reply) lists(rs ...erasure.Request) reply {
	a.t.Helper()
	var want []string
	for _, r := range rs {
		want = append(want, r.ID.String())
	}
	if got := a.want(http.StatusOK).listed(); !slices.Equal(got, want) {
		a.t.Errorf("listed are %v, want %v", got, want)
	}
	return a
}

func TestTheLogIsFiltered(t *testing.T) {
	st := newSite(t)
	one := st.requested(st.person("user_id", "u1"))
	st.clock.Advance(time.Minute)
	two := st.waiting("u2")
	st.clock.Advance(time.Minute)
	three := st.requested(st.person("user_id", "u3"))
	if _, err := st.db.Cancel(t.Context(), three.ID, erasure.System, erasure.API); err != nil {
		t.Fatal(err)
	}
	b := st.signedIn(erasure.Auditor)
	b.get("/logs").lists(three, two, one)
	b.get("/logs?state=pending").lists(two, one).holds("state", "pending")
	b.get("/logs?state=cancelled").lists(three)
	b.get("/logs?origin=customerlabs").lists(two).holds("origin", "customerlabs")
	b.get("/logs?origin=api&state=pending").lists(one)
	b.get("/logs?q="+one.EffaceID.String()).lists(one).holds("q", one.EffaceID.String())
	b.get("/logs?q=+" + url.QueryEscape(strings.ToUpper(two.ID.String())+"\u200b")).lists(two)
	b.get("/logs?q=T-1").lists(three, one)
	if a := b.get("/logs?state=failed").lists(); !strings.Contains(a.body, "Choose less narrowly") || strings.Contains(a.body, "found exactly as they are") {
		t.Error("where none was typed it speaks of IDs and references")
	}
	if a := b.get("/logs?q=T-2").lists(); !strings.Contains(a.body, "found exactly as they are") || !strings.Contains(a.body, "No request fits this filter") {
		t.Errorf("an empty list says nothing\n%s", a.body)
	}
	b.get("/logs?from=2026-03-01T09:01:00Z").lists(three, two)
	b.get("/logs?to=2026-03-01T09:01:00Z").lists(one)
}

func TestAnEmptyLogSaysWhatToDo(t *testing.T) {
	a := newSite(t).signedIn(erasure.Staff).get("/logs").want(http.StatusOK)
	if a.find("main a[href='/find']").Length() != 1 {
		t.Errorf("the page shows\n%s", a.body)
	}
}

func TestDaysAreThoseOfThePagesTimeZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	st := newSite(t, func(c *Config) { c.Location = berlin })
	at := func(d time.Duration) erasure.Request { // by the clock of Berlin, an hour ahead
		st.clock.Advance(d)
		return st.waiting(fmt.Sprint("u", d))
	}
	st.clock.Advance(13 * time.Hour)     // 1 March, 23:00
	late := at(time.Hour - 1e6)          // 23:59:59.999
	first := at(time.Millisecond)        // 2 March, 00:00
	last := at(24*time.Hour - 1e6)       // 23:59:59.999
	tomorrow := at(2 * time.Millisecond) // 3 March
	b := st.signedIn(erasure.Staff)
	b.get("/logs?from=2026-03-02&to=2026-03-02").lists(last, first).holds("from", "2026-03-02").holds("to", "2026-03-02")
	b.get("/logs?from=2026-03-02").lists(tomorrow, last, first)
	b.get("/logs?to=2026-03-01").lists(late)
	b.get("/logs?from=2026-03-02T00:00:00%2B01:00&to=2026-03-02").lists(last, first)
}

func TestAWrongFilterIsToldAndKept(t *testing.T) {
	st := newSite(t)
	st.waiting("u1")
	b := st.signedIn(erasure.Staff)
	for query, sentence := range map[string]string{
		"state=gone":                    "Choose a state",
		"origin=mail":                   "Choose an origin",
		"from=yesterday":                "Give the first day",
		"to=2026-02-30":                 "Give the last day",
		"from=2026-03-02&to=2026-03-01": "does not come before",
		"q=ann%40example.com":           "page Find User",
		"q=a%00b":                       "page Find User",
		"q=%ff":                         "page Find User",
		"q=" + strings.Repeat("x", 65):  "page Find User",
		"cursor=x":                      "cursor",
	} {
		a := b.get("/logs?"+query).refused(http.StatusUnprocessableEntity, sentence)
		if len(a.listed()) != 0 || a.find("[hx-trigger^=every]").Length() != 0 {
			t.Errorf("%s: rows are listed", query)
		}
		if typed, _ := url.ParseQuery(query); typed.Has("from") {
			a.holds("from", typed.Get("from"))
		}
		if query != "cursor=x" {
			b.get("/logs.csv?" + query).want(http.StatusUnprocessableEntity)
			b.get("/logs/rows?" + query).want(http.StatusBadRequest)
		}
	}
}

func TestThePagesOfTheLogHoldEachRequestOnce(t *testing.T) {
	st := newSite(t)
	want := map[string]bool{}
	for i := range 2*rowsPerPage + 1 {
		st.clock.Advance(time.Second)
		want[st.waiting(fmt.Sprint("u", i)).ID.String()] = true
	}
	b := st.signedIn(erasure.Staff)
	path, pages, before := "/logs?origin=customerlabs", 0, "~"
	for path != "" {
		a := b.get(path).want(http.StatusOK)
		for _, id := range a.listed() {
			if !want[id] || id >= before {
				t.Errorf("%s is listed twice, or after %s", id, before)
			}
			delete(want, id)
			before = id
		}
		st.clock.Advance(time.Second)
		st.waiting(fmt.Sprint("meanwhile", pages))
		pages++
		path, _ = a.find("a[rel=next]").Attr("href")
	}
	if pages != 3 || len(want) != 0 {
		t.Errorf("%d pages, and %d requests on none", pages, len(want))
	}
}

func TestAClockThatJumpedIsToldOnEveryPage(t *testing.T) {
	st := newSite(t)
	st.clock.Reboot(3 * time.Hour)
	b := st.signedIn(erasure.Admin)
	for _, path := range []string{"/logs", "/find", "/activity"} {
		if text := b.get(path).want(http.StatusOK).find(".alert-warning").Text(); !strings.Contains(text, "clock jumped") {
			t.Errorf("%s says %q of the clock", path, text)
		}
	}
	st.clock.Advance(erasure.JumpHold)
	if n := b.get("/logs").want(http.StatusOK).find(".alert-warning").Length(); n != 0 {
		t.Error("the warning stays after the wait")
	}
}

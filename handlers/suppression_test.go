package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func TestAnIdentifierIsCheckedAndLifted(t *testing.T) {
	st := newSite(t)
	st.person("user_id", "u1", "email", "ann@example.com", "phone", "+49 30 901820")
	r := st.suppressed("u1")
	operator := st.invited("dana@example.com", erasure.Staff)
	b := st.browserOf(operator)
	page := b.get("/suppressions").want(http.StatusOK)
	if row := page.find("tbody tr"); row.Find("a").Text() != r.ID.String() || strings.TrimSpace(row.Find(".value").Text()) != "user_id (from a source), E-mail, Phone" {
		t.Errorf("listed is %q", row.Text())
	}
	b.post("/suppressions/check", asking("email", "nobody@example.com")).says(http.StatusOK, "This identifier is not suppressed")
	b.post("/suppressions/check", url.Values{"key": {"phone"}, "value": {"030 901820"}, "region": {"de"}}).says(http.StatusOK, "The number was read as +4930901820")
	a := b.post("/suppressions/check", asking("email", " ANN@example.com ")).says(http.StatusOK, "This identifier is suppressed").holds("value", " ANN@example.com ")
	if a.find("[role=alert] a[href='"+requestPath(r.ID)+"']").Length() != 1 || a.find("[role=alert] time").Length() != 2 {
		t.Errorf("the answer is\n%s", a.body)
	}
	named := url.Values{"fingerprint": {a.find("[role=alert] input[name=fingerprint]").AttrOr("value", "")}}
	a = b.post("/suppressions/lift", named).says(http.StatusOK, "may bring the person back")
	if st.entries(erasure.SuppressionLifted) != 0 || a.find("form[action='/suppressions/lift/confirm'] input[name=fingerprint]").AttrOr("value", "") != named.Get("fingerprint") {
		t.Errorf("asking lifts, or does not lead to the lift\n%s", a.body)
	}
	b.post("/suppressions/lift/confirm", named).want(http.StatusBadRequest)
	named.Set("request", a.find("form[action='/suppressions/lift/confirm'] input[name=request]").AttrOr("value", ""))
	b.post("/suppressions/lift/confirm", named).refused(http.StatusUnprocessableEntity, "Choose why")
	other := url.Values{"fingerprint": named["fingerprint"], "request": {erasure.NewRequestID(time.Now()).String()}, "reason": {"asked"}}
	b.post("/suppressions/lift/confirm", other).refused(http.StatusConflict, "Another deletion request").holds("request", r.ID.String())
	why := url.Values{"fingerprint": named["fingerprint"], "request": named["request"], "reason": {"asked"}, "reference": {"ann@example.com"}}
	b.post("/suppressions/lift/confirm", why).refused(http.StatusUnprocessableEntity, "Use only letters").holds("reference", "ann@example.com")
	why.Set("reference", " DSR-7 ")
	b.post("/suppressions/lift/confirm", why).leadsTo("/suppressions")
	b.get("/suppressions").notice("The suppression is lifted")
	for _, path := range []string{"/suppressions/lift", "/suppressions/lift/confirm"} {
		b.post(path, why).says(http.StatusNotFound, "not suppressed any more")
	}
	b.post("/suppressions/check", asking("email", "ann@example.com")).says(http.StatusOK, "is not suppressed")
	b.get(requestPath(r.ID)).says(http.StatusOK, "The suppression of 1 identifier was lifted, last on 2026-03-02 09:00:00 UTC")
	st.person("email", "ann@example.com")

	log, _, err := st.db.Activity(t.Context(), "", 20)
	i := slices.IndexFunc(log, func(a erasure.Activity) bool { return a.Kind == erasure.SuppressionLifted })
	if err != nil || i < 0 || log[i].Actor != operator.Email || log[i].Reason != erasure.LiftAsked || *log[i].Request != r.ID || st.entries(erasure.SuppressionLifted) != 1 {
		t.Errorf("the log says %+v, %v", log, err)
	}
	if n := st.entries(erasure.SuppressionsChecked); n != 4 {
		t.Errorf("%d checks are logged, not 4", n)
	}
	entries := storetest.Raw(t, st.dir)
	var found int
	if err := entries.QueryRow(`SELECT COUNT(*) FROM log_entries WHERE entry LIKE '%ann@%' OR entry LIKE '%901820%'`).Scan(&found); err != nil || found != 0 {
		t.Errorf("%d entries hold an identifier, %v", found, err)
	}
	if strings.Contains(st.log.String(), "ann@") || strings.Contains(st.log.String(), "901820") {
		t.Errorf("the server's log says %s", st.log)
	}
	auditor := strings.Join(st.signedIn(erasure.Auditor).activity(), "\n")
	if !strings.Contains(auditor, "Lifted a suppression: Whoever it belongs to asked for it") {
		t.Errorf("Activity says %s", auditor)
	}
}

func TestWhatCannotBeCheckedOrLiftedIsRefused(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1")
	b := st.signedIn(erasure.Staff)
	b.post("/suppressions/check", asking("email", " ")).refused(http.StatusUnprocessableEntity, "Enter")
	b.post("/suppressions/check", asking("shoe_size", "42")).refused(http.StatusUnprocessableEntity, "Choose an identifier").holds("value", "42")
	b.post("/suppressions/check", asking("efface_id", p.EffaceID.String())).refused(http.StatusUnprocessableEntity, "never suppressed")
	for _, fingerprint := range []string{"", "x", strings.Repeat("0", 31), strings.Repeat("0", 33), strings.Repeat("zz", 16)} {
		b.post("/suppressions/lift", url.Values{"fingerprint": {fingerprint}}).want(http.StatusBadRequest)
	}
	b.post("/suppressions/lift", url.Values{"fingerprint": {strings.Repeat("0", 32)}}).says(http.StatusNotFound, "not suppressed any more")
	b.get("/suppressions?cursor=x").want(http.StatusUnprocessableEntity)
	if b.get("/suppressions?table=group").holds("key", "group_id").find("#key option[value=efface_id]").Length() != 0 {
		t.Error("a User ID is offered to be checked")
	}
	if n := st.entries(erasure.SuppressionsChecked); n != 0 {
		t.Errorf("%d checks are logged, and none was answered", n)
	}
}

func TestAuditorsSeeWhatIsSuppressedAndChangeNothing(t *testing.T) {
	st := newSite(t)
	st.person("user_id", "u1", "email", "ann@example.com")
	r := st.suppressed("u1")
	st.person("user_id", "u2", "email", "ann@example.com")
	b := st.signedIn(erasure.Auditor)
	for _, path := range []string{"/suppressions", requestPath(r.ID)} {
		a := b.get(path).says(http.StatusOK, "user_id (from a source), E-mail")
		if a.find("main form").Length() != 0 {
			t.Errorf("%s offers an auditor a form", path)
		}
	}
	b.post("/suppressions/check", asking("user_id", "u1")).want(http.StatusForbidden)
}

func TestARequestSaysHowOftenItsDataTriedToComeBack(t *testing.T) {
	st := newSite(t)
	st.person("user_id", "u1", "email", "ann@example.com")
	st.person("user_id", "u3")
	plain := st.requested(storetest.One(t, st.db, "user_id", "u3"))
	r, _, err := st.db.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", "u1")[0], Suppress: true,
		Origin: erasure.API, Actor: erasure.System})
	if err != nil {
		t.Fatal(err)
	}
	says := func() string {
		t.Helper()
		a := st.signedIn(erasure.Staff).get(requestPath(r.ID)).want(http.StatusOK)
		return strings.Join(strings.Fields(a.find("[aria-labelledby=suppression-title] p").Text()), " ")
	}
	if got := says(); got != "" {
		t.Errorf("before the erasure it says %q", got)
	}
	st.erase()
	if got := says(); got != "Nothing of this person's data has tried to come back since the erasure." {
		t.Errorf("at first it says %q", got)
	}
	for range 2 {
		storetest.Identify(t, st.db, "shop", "user_id", "u1")
	}
	if got := says(); got != "Since the erasure this person's data tried to come back 2 times, last on 2026-03-02 09:00:00 UTC; all of it was dropped." {
		t.Errorf("then it says %q", got)
	}
	st.clock.Advance(time.Hour)
	storetest.Identify(t, st.db, "shop", "user_id", "u2", "email", "ann@example.com")
	if got := says(); !strings.Contains(got, "3 times, last on 2026-03-02 10:00:00 UTC; 2 calls were dropped; the suppressed identifiers were left out of 1, and the rest was kept.") {
		t.Errorf("at last it says %q", got)
	}
	b := st.signedIn(erasure.Staff)
	a := b.get(requestPath(r.ID))
	row := a.find("[aria-labelledby=suppression-title] tbody tr")
	if !strings.HasPrefix(strings.TrimSpace(row.Text()), "E-mail") || strings.Contains(a.find("main").Text(), "ann@example.com") {
		t.Errorf("what is shared is shown as %q", row.Text())
	}
	named := url.Values{"fingerprint": {row.Find("input[name=fingerprint]").AttrOr("value", "")}}
	if a := b.post("/suppressions/lift", named).says(http.StatusOK, "It also came with another profile's data"); a.find("input[name=reason][checked]").Length() != 0 {
		t.Errorf("a reason is chosen\n%s", a.body)
	}
	if text := b.get(requestPath(plain.ID)).find("main").Text(); strings.Contains(text, "come back") {
		t.Errorf("where suppression was not chosen the page says %q", text)
	}
	st.clock.Advance(store.DefaultSuppressFor)
	if got := says(); !strings.Contains(got, "3 times") || !strings.Contains(got, "Nothing is suppressed by now") {
		t.Errorf("once expired it says %q", got)
	}
}

// What one of two requests that are carried out together asks for, both say.
func TestARequestThatIsJoinedSaysWhetherTheDataIsCollectedAgain(t *testing.T) {
	st := newSite(t)
	st.person("email", "ann@example.com")
	asks, _, err := st.db.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("email", "ann@example.com")[0], Suppress: true,
		Origin: erasure.API, Actor: erasure.System})
	if err != nil {
		t.Fatal(err)
	}
	joined := st.waiting("u1")
	b := st.signedIn(erasure.Staff)
	if got := b.get(requestPath(joined.ID)).fact("After the erasure"); got != "May be collected again, as a new profile" {
		t.Errorf("alone it says %q", got)
	}
	st.person("email", "ann@example.com", "user_id", "u1")
	a := b.get(requestPath(joined.ID))
	if a.fact("Carried out with") != asks.ID.String() || !strings.HasPrefix(a.fact("After the erasure"), "Not collected again: another request") {
		t.Errorf("joined it says\n%s", a.find("main").Text())
	}
	st.erase()
	st.signedIn(erasure.Staff).get(requestPath(joined.ID)).says(http.StatusOK, "Nothing of this person's data has tried to come back")
}

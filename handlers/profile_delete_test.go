package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// confirmed is what the form sends of somebody who looked at what will go.
func (st *site) confirmed(p erasure.Profile) url.Values {
	form := confirmed(p.EffaceID.String())
	if seen, err := st.db.Profile(st.t.Context(), erasure.System, p.EffaceID); err == nil {
		form.Set("seen", seen.Seen)
	}
	return form
}

func deletionPath(p erasure.Profile) string { return profilePath(p.EffaceID) + "/delete" }

func TestARightPasteRequestsTheDeletion(t *testing.T) {
	var woken atomic.Int32
	st := newSite(t, func(c *Config) {
		c.CancelWindow, c.SuppressFor, c.Wake = 24*time.Hour, 1096*24*time.Hour, func() { woken.Add(1) }
	})
	p := st.person("email", "ann@example.com")
	ann := st.invited("staff@example.com", erasure.Staff)
	b := st.browserOf(ann)
	b.get(deletionPath(p)).says(http.StatusOK, "24 hours").says(http.StatusOK, "3 years")
	form := st.confirmed(p)
	form.Set("reason", "by\r\nmail")
	form.Set("reference", " DSR-2041 ")
	form.Set("suppress", "yes")
	path := b.post(deletionPath(p), form).want(http.StatusSeeOther).location()

	rs := st.requests()
	if len(rs) != 1 || path != requestPath(rs[0].ID) || woken.Load() != 1 {
		t.Fatalf("%d requests, at %q, woken %d times", len(rs), path, woken.Load())
	}
	r, err := st.db.RequestDetails(t.Context(), erasure.System, rs[0].ID)
	if err != nil || r.Reason != "by\nmail" || r.Reference != "DSR-2041" || !r.Suppress || r.Origin != erasure.Console ||
		r.Actor.ID != ann.ID || r.State != erasure.Pending {
		t.Errorf("the request is %+v, %v", r, err)
	}
	a := b.get(path).want(http.StatusOK)
	if text := a.find(".confirmation").Text(); !strings.Contains(text, "Note the request ID or the reference") {
		t.Errorf("the page says %q", text)
	}
	if a.find("#request-id").Text() != r.ID.String() {
		t.Error("the page does not show the request's id")
	}
	if b.get(path).find(".confirmation").Length() != 0 {
		t.Error("the confirmation is shown a second time")
	}
}

func TestAWrongPasteChangesNothingAndKeepsWhatWasTyped(t *testing.T) {
	st := newSite(t)
	p, other := st.merged(), st.person("email", "other@example.com")
	r := st.requested(other)
	b := st.signedIn(erasure.Staff)
	said := map[string]bool{}
	for pasted, sentence := range map[string]string{
		"":                          "Paste the User ID shown on this page",
		"old@example.com":           "That is not a User ID",
		p.EffaceID.String()[:35]:    "That is not a User ID",
		p.Former[0].String():        "former User ID",
		other.EffaceID.String():     "not the User ID of this profile",
		r.ID.String():               "ID of a deletion request",
		"eb_" + r.ID.String()[3:]:   "ID of a batch",
		p.EffaceID.String() + " x ": "That is not a User ID",
	} {
		form := url.Values{"confirm": {pasted}, "reason": {"a <reason>"}, "reference": {"T-2"}, "suppress": {"yes"}}
		a := b.post(deletionPath(p), form).refused(http.StatusUnprocessableEntity, sentence)
		a.holds("confirm", pasted).holds("reason", "a <reason>").holds("reference", "T-2")
		if a.find("input[name=suppress][checked]").Length() != 1 {
			t.Error("the check mark is lost")
		}
		if !strings.Contains(a.find("title").Text(), "Error") || a.find("#confirm[aria-invalid=true]").Length() != 1 {
			t.Errorf("the page does not mark the field\n%s", a.body)
		}
		said[sentence] = true
	}
	if n := len(st.requests()); n != 1 || len(said) != 6 {
		t.Errorf("%d requests, %d sentences", n, len(said))
	}
}

// I8: whose profile it is can be checked before the paste and after a wrong
// one, and each time that is a look.
func TestTheFormShowsWhoseProfileItIsAndThatIsALook(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1", "email", "family@example.com")
	other := st.person("user_id", "u2", "email", "family@example.com")
	b := st.signedIn(erasure.Staff)
	for _, a := range []reply{
		b.get(deletionPath(p)).want(http.StatusOK),
		b.post(deletionPath(p), confirmed("not it")).want(http.StatusUnprocessableEntity),
	} {
		rows := a.find("td.value").Map(func(_ int, s *goquery.Selection) string { return words(s) })
		if want := []string{"u1", "family@example.com Also leads to another profile, which keeps it " + other.EffaceID.String()}; !slices.Equal(rows, want) {
			t.Errorf("the form lists %q, want %q", rows, want)
		}
	}
	if n := st.entries(erasure.ProfileViewed); n != 2 {
		t.Errorf("%d looks are logged, want 2", n)
	}
}

// words is a text with one space between what stands apart on a page.
func words(s *goquery.Selection) string {
	var all []string
	s.Contents().Each(func(_ int, part *goquery.Selection) {
		if goquery.NodeName(part) == "#text" {
			all = append(all, strings.Fields(part.Text())...)
		} else {
			all = append(all, words(part))
		}
	})
	return strings.Join(all, " ")
}

func TestWhatCannotBeSeenInAPasteDoesNotMatter(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	for i, change := range []func(string) string{
		strings.ToUpper,
		func(id string) string { return " \t" + id + "\r\n" },
		func(id string) string { return "\ufeff" + id[:8] + "\u200b" + id[8:] + "\u2060" },
		func(id string) string { return "\u00a0" + id[:20] + "\n" + id[20:] + "\u200f" },
	} {
		st.clock.Advance(time.Second)
		p := st.person("user_id", string(rune('a'+i)))
		form := st.confirmed(p)
		form.Set("confirm", change(p.EffaceID.String()))
		a := b.post(deletionPath(p), form)
		a.leadsTo(requestPath(st.requests()[0].ID))
	}
}

func TestAWrongReferenceOrReasonIsRefusedBesideTheRightPaste(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1")
	b := st.signedIn(erasure.Staff)
	form := st.confirmed(p)
	form.Set("reference", "ann@example.com")
	b.post(deletionPath(p), form).refused(http.StatusUnprocessableEntity, "Use only letters").holds("confirm", p.EffaceID.String())
	form.Set("reference", strings.Repeat("x", erasure.ReferenceLength+1))
	b.post(deletionPath(p), form).refused(http.StatusUnprocessableEntity, "Shorten the reference")
	form.Set("reference", "")
	form.Set("reason", strings.Repeat("ä", erasure.ReasonLength+1))
	b.post(deletionPath(p), form).refused(http.StatusUnprocessableEntity, "Shorten the reason")
	if n := b.post(deletionPath(p), url.Values{"reference": {"ä"}}).find("[role=alert] li").Length(); n != 2 {
		t.Errorf("%d problems are told, want both", n)
	}
	if len(st.requests()) != 0 {
		t.Error("something was requested")
	}
	form.Set("reason", strings.Repeat("ä\r\n", erasure.ReasonLength/2))
	b.post(deletionPath(p), form).want(http.StatusSeeOther)
}

func TestADoubleClickMakesOneRequest(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1")
	b := st.signedIn(erasure.Staff)
	answers := make([]reply, 8)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = b.post(deletionPath(p), st.confirmed(p)) })
	}
	all.Wait()
	rs := st.requests()
	if len(rs) != 1 {
		t.Fatalf("%d requests were made", len(rs))
	}
	for _, a := range answers {
		a.leadsTo(requestPath(rs[0].ID))
	}
	if n := b.get(requestPath(rs[0].ID)).find(".confirmation").Length(); n != 1 {
		t.Error("the request is not confirmed")
	}
}

func TestAFormSentAgainLeadsToTheRequestThatItMade(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1")
	b := st.signedIn(erasure.Staff)
	path := b.post(deletionPath(p), st.confirmed(p)).location()
	b.get(path)
	b.post(deletionPath(p), st.confirmed(p)).leadsTo(path)
	b.get(path).notice("requested already")
	b.post(deletionPath(p), confirmed("nonsense")).leadsTo(path)
	b.get(path).notice("requested already")
	b.get(deletionPath(p)).leadsTo(path)
	if a := b.get(path).notice("requested already"); a.find(".confirmation").Length() != 0 {
		t.Error("a look at an open request is confirmed as a new one")
	}
	// Somebody else's form is no confirmation of their own request.
	other := st.signedIn(erasure.Staff)
	other.post(deletionPath(p), st.confirmed(p)).leadsTo(path)
	if a := other.get(path).notice("requested already"); a.find(".confirmation").Length() != 0 {
		t.Error("somebody else's request is confirmed as one's own")
	}
	if len(st.requests()) != 1 {
		t.Error("a second request was made")
	}
}

func TestAProfileThatWasMergedMeanwhileIsToBeLookedAtAgain(t *testing.T) {
	st := newSite(t)
	p := st.merged()
	former := p
	former.EffaceID = p.Former[0]
	b := st.signedIn(erasure.Staff)
	form := st.confirmed(former)
	form.Set("reason", "by mail")
	a := b.post(deletionPath(former), form).refused(http.StatusConflict, "merged").holds("reason", "by mail").holds("confirm", "")
	if action, _ := a.find("main form").Attr("action"); action != deletionPath(p) {
		t.Errorf("the form leads to %q", action)
	}
	if len(st.requests()) != 0 {
		t.Error("something was requested")
	}
}

func TestAProfileThatWentMeanwhileIsToldAsSuch(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1")
	st.requested(p)
	st.claim()
	b := st.signedIn(erasure.Staff)
	b.post(deletionPath(p), st.confirmed(p)).says(http.StatusNotFound, "is being erased")
	st.erase()
	b = st.signedIn(erasure.Staff)
	b.post(deletionPath(p), st.confirmed(p)).says(http.StatusNotFound, "has been erased")
	if len(st.requests()) != 1 {
		t.Error("a second request was made")
	}
}

func TestAGroupIsDeletedAndItsMembersStay(t *testing.T) {
	st := newSite(t)
	g := st.group("acct-7", 1200)
	b := st.signedIn(erasure.Staff)
	b.get(deletionPath(g)).says(http.StatusOK, "its 1,200 memberships").says(http.StatusOK, "Its members stay").
		says(http.StatusOK, "Do not collect this group again").says(http.StatusOK, "Check which group this is")
	b.post(deletionPath(g), confirmed("acct-7")).want(http.StatusUnprocessableEntity)
	path := b.post(deletionPath(g), st.confirmed(g)).want(http.StatusSeeOther).location()
	a := b.get(path).says(http.StatusOK, "once the group is erased")
	if a.fact("About") != "Account (group)" || a.fact("Data") != "1 identifier, 0 records found when asked" {
		t.Errorf("the request says\n%s", a.find("main").Text())
	}
	r := st.requests()[0]
	b.get(cancelPath(r)).says(http.StatusOK, "Account (group)")
	if row := b.get("/logs").find("#row-" + r.ID.String()).Text(); !strings.Contains(row, "Account (group)") {
		t.Errorf("the log's row says %q", row)
	}
	st.erase()
	b = st.signedIn(erasure.Staff)
	b.get(path).says(http.StatusOK, "Erased with the group")
	b.get(profilePath(g.EffaceID)).says(http.StatusNotFound, "has been erased")
	member := storetest.One(t, st.db, "user_id", storetest.PersonID(1199))
	if got := b.get(profilePath(member.EffaceID)).want(http.StatusOK).fact("Groups"); got != "0" {
		t.Errorf("a member is still in %s groups", got)
	}
}

func TestAPersonsDeletionSaysThatTheirGroupsStay(t *testing.T) {
	st := newSite(t)
	st.group("acct-7", 1)
	p := storetest.One(t, st.db, "user_id", storetest.PersonID(0))
	a := st.signedIn(erasure.Staff).get(deletionPath(p)).says(http.StatusOK, "its membership in 1 group.")
	if strings.Contains(a.find("main").Text(), "members stay") {
		t.Error("a person is said to have members")
	}
	st.requested(p)
	if row := st.signedIn(erasure.Staff).get("/logs").find("#rows").Text(); strings.Contains(row, "(user)") {
		t.Errorf("a person's row says %q", row)
	}
}

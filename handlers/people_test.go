package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// person stores what a shop tells of somebody and returns the profile that
// the first identifier leads to.
func (st *site) person(pairs ...string) erasure.Profile {
	st.t.Helper()
	storetest.Identify(st.t, st.db, "shop", pairs...)
	return storetest.One(st.t, st.db, pairs[0], pairs[1])
}

// merged returns the profile of two that became one, the older one's.
func (st *site) merged() erasure.Profile {
	st.t.Helper()
	st.person("email", "old@example.com")
	st.clock.Advance(time.Second)
	st.person("email", "new@example.com")
	return st.person("email", "old@example.com", "email", "new@example.com")
}

// group stores a group with members and returns its profile.
func (st *site) group(id string, members int) erasure.Profile {
	st.t.Helper()
	storetest.Members(st.t, st.db, id, members)
	found, err := st.db.Find(st.t.Context(), storetest.GroupIdentifiers("group_id", id)[0])
	if err != nil || len(found) != 1 {
		st.t.Fatalf("the group leads to %d profiles, %v", len(found), err)
	}
	return found[0]
}

// requested asks for a profile's erasure by another door.
func (st *site) requested(p erasure.Profile) erasure.Request {
	st.t.Helper()
	r, _, err := st.db.RequestErasure(st.t.Context(), erasure.NewRequest{
		EffaceID: &p.EffaceID, Origin: erasure.API, Actor: erasure.System, Reason: "asked by mail", Reference: "T-1"})
	if err != nil {
		st.t.Fatal(err)
	}
	return r
}

// waiting asks for the erasure of somebody whom nothing is known of.
func (st *site) waiting(userID string) erasure.Request {
	st.t.Helper()
	r, _, err := st.db.RequestErasure(st.t.Context(), erasure.NewRequest{
		Asked: storetest.Identifiers("user_id", userID)[0], Unknown: true, Origin: erasure.CustomerLabs, Actor: erasure.System})
	if err != nil {
		st.t.Fatal(err)
	}
	return r
}

// claim lets every window pass.
func (st *site) claim() {
	st.t.Helper()
	st.clock.Advance(24 * time.Hour)
	if _, err := st.db.ClaimDue(st.t.Context(), 500); err != nil {
		st.t.Fatal(err)
	}
}

// erase carries out what is requested.
func (st *site) erase() {
	st.t.Helper()
	st.claim()
	if _, _, err := st.db.DestroyKeys(st.t.Context(), 500); err != nil {
		st.t.Fatal(err)
	}
	if _, _, err := st.db.DeleteRows(st.t.Context(), 4000); err != nil {
		st.t.Fatal(err)
	}
}

// requests lists every request, newest first.
func (st *site) requests() []erasure.Request {
	st.t.Helper()
	rs, _, err := st.db.Requests(st.t.Context(), erasure.RequestFilter{Limit: 500})
	if err != nil {
		st.t.Fatal(err)
	}
	return rs
}

// entries counts the log's entries of a kind.
func (st *site) entries(kind erasure.Kind) (n int) {
	st.t.Helper()
	as, _, err := st.db.Activity(st.t.Context(), "", 1000)
	if err != nil {
		st.t.Fatal(err)
	}
	for _, a := range as {
		if a.Kind == kind {
			n++
		}
	}
	return n
}

func confirmed(pasted string) url.Values { return url.Values{"confirm": {pasted}} }

// refused checks that a page says the sentence in a summary that takes the
// focus.
func (a reply) refused(status int, sentence string) reply {
	a.t.Helper()
	a.want(status)
	summary := a.find("[role=alert][autofocus]")
	if !strings.Contains(summary.Find("li").Text(), sentence) {
		a.t.Errorf("the page says %q, not %q", summary.Text(), sentence)
	}
	return a
}

// says checks that an error's page has the sentence.
func (a reply) says(status int, sentence string) reply {
	a.t.Helper()
	if a.want(status); !strings.Contains(a.find("main").Text(), sentence) {
		a.t.Errorf("the page does not say %q\n%s", sentence, a.find("main").Text())
	}
	return a
}

// holds checks what a field of the form is filled with.
func (a reply) holds(field, value string) reply {
	a.t.Helper()
	s := a.find("[name=" + field + "]")
	got, ok := s.Attr("value")
	if s.Is("textarea") {
		got, ok = s.Text(), true
	}
	if s.Is("select") {
		got, ok = s.Find("option[selected]").Attr("value")
	}
	if !ok || got != value {
		a.t.Errorf("the field %s holds %q, not %q", field, got, value)
	}
	return a
}

// fact is what a page's list of facts says by a name; "" where it does not.
func (a reply) fact(name string) (value string) {
	a.find("dl.facts > div").Each(func(_ int, s *goquery.Selection) {
		if s.Find("dt").Text() == name {
			value = strings.Join(strings.Fields(s.Find("dd").Text()), " ")
		}
	})
	return value
}

func (a reply) notice(sentence string) reply {
	a.t.Helper()
	if got := a.want(http.StatusOK).find(".alert[role=status]").Text(); !strings.Contains(got, sentence) {
		a.t.Errorf("the page notes %q, not %q", got, sentence)
	}
	return a
}

func TestAuditorsSeeNoProfileAndNoForm(t *testing.T) {
	st := newSite(t)
	p := st.person("email", "ann@example.com")
	b := st.signedIn(erasure.Auditor)
	for _, path := range []string{"/find", profilePath(p.EffaceID), profilePath(p.EffaceID) + "/delete"} {
		b.get(path).says(http.StatusForbidden, "Ask an admin")
	}
	b.post("/find", url.Values{"key": {"email"}, "value": {"ann@example.com"}}).want(http.StatusForbidden)
	b.post(profilePath(p.EffaceID)+"/delete", confirmed(p.EffaceID.String())).want(http.StatusForbidden)
	if len(st.requests()) != 0 || st.entries(erasure.ProfileViewed) != 0 {
		t.Error("an auditor got through")
	}
}

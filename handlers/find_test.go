package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func asking(key, value string) url.Values { return url.Values{"key": {key}, "value": {value}} }

func TestOneMatchLeadsToItsProfile(t *testing.T) {
	st := newSite(t)
	p := st.person("email", "Ann@Example.com", "phone", "+49 30 901820", "user_id", "u1", "hubspot_user_id", "h7")
	b := st.signedIn(erasure.Staff)
	b.get("/find").want(http.StatusOK).holds("key", "email")
	for _, form := range []url.Values{
		asking("email", " ANN@example.COM\u200b "), asking("user_id", "u1"), asking("hubspot_user_id", "h7"),
		asking("phone", "0049 (30) 901820"), {"key": {"phone"}, "value": {"030 901820"}, "region": {"de"}},
		asking("efface_id", strings.ToUpper(p.EffaceID.String())), {"table": {"user"}, "key": {"user_id"}, "value": {"u1"}},
	} {
		b.post("/find", form).leadsTo(profilePath(p.EffaceID))
	}
	if strings.Contains(st.log.String(), "ann@example.com") || strings.Contains(st.log.String(), "901820") {
		t.Errorf("the log says %s", st.log)
	}
}

func TestNobodyFoundKeepsTheValueAndSaysWhy(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	a := b.post("/find", asking("email", "ann@example.com")).want(http.StatusOK).holds("value", "ann@example.com").holds("key", "email")
	if text := a.find("[role=alert]").Text(); !strings.Contains(text, "Only exact values are found") || strings.Contains(text, "as typed") {
		t.Errorf("the page says %q", text)
	}
	a = b.post("/find", url.Values{"key": {"phone"}, "value": {"call me"}, "region": {"de"}}).want(http.StatusOK).holds("region", "DE")
	if text := a.find("[role=alert]").Text(); !strings.Contains(text, "does not read as a phone number, so it was searched as typed") {
		t.Errorf("the page says %q", text)
	}
	a = b.post("/find", asking("email", "not an address")).want(http.StatusOK)
	if text := a.find("[role=alert]").Text(); !strings.Contains(text, "does not read as an e-mail address, so it was searched as typed") {
		t.Errorf("the page says %q", text)
	}
}

func TestHowAPhoneNumberWasReadIsTold(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	for _, c := range []struct{ value, region, sentence string }{
		{"020 7946 0018", "gb", "was read as +442079460018 (United Kingdom, GB)"},
		{"+49 30 901820", "GB", "was read as +4930901820 (Germany, DE)"},
		{"+800 1234 5678", "", "was read as +80012345678 (no single country's)"},
		{"020 7946 0018", "", "searched as typed. If it is one, choose its country"},
	} {
		form := url.Values{"key": {"phone"}, "value": {c.value}, "region": {c.region}}
		b.post("/find", form).says(http.StatusOK, c.sentence)
	}
	form := url.Values{"key": {"email"}, "value": {"ann@example.com"}, "region": {"XX"}}
	b.post("/find", form).refused(http.StatusUnprocessableEntity, "Choose the country of the phone number from the list")
}

func TestTheCountryIsTheStoresUnlessOneIsChosen(t *testing.T) {
	st := newSite(t)
	first := func() string { return st.signedIn(erasure.Staff).get("/find").find("#region option").First().Text() }
	if got := first(); got != "None: the number begins with + and the country code" {
		t.Errorf("without a region the form offers %q first", got)
	}
	if _, err := st.db.FixRegion(t.Context(), "gb"); err != nil {
		t.Fatal(err)
	}
	if got := first(); got != "Store's default: United Kingdom (GB)" {
		t.Errorf("the form offers %q first", got)
	}
	p := st.person("phone", "+44 20 7946 0018")
	st.signedIn(erasure.Staff).post("/find", asking("phone", "020 7946 0018")).leadsTo(profilePath(p.EffaceID))
}

func TestAnErasedProfilesUserIDLeadsToTheLogs(t *testing.T) {
	st := newSite(t)
	p := st.person("email", "ann@example.com")
	st.requested(p)
	find := asking("efface_id", p.EffaceID.String())
	st.claim()
	st.signedIn(erasure.Staff).post("/find", find).says(http.StatusOK, "is being erased")
	st.erase()
	a := st.signedIn(erasure.Staff).post("/find", find).says(http.StatusOK, "was erased")
	if a.find("[role=alert] a[href='/logs?q="+p.EffaceID.String()+"']").Length() != 1 {
		t.Errorf("nothing leads to the logs\n%s", a.body)
	}
	st.signedIn(erasure.Staff).post("/find", asking("efface_id", uuid.NewString())).says(http.StatusOK, "Nobody was found")
}

func TestARequestIDIsToldAsWhatItIs(t *testing.T) {
	st := newSite(t)
	r := st.waiting("u1")
	b := st.signedIn(erasure.Staff)
	for _, key := range []string{"efface_id", "email", "user_id"} {
		a := b.post("/find", asking(key, " "+strings.ToUpper(r.ID.String()))).says(http.StatusOK, "That is a request ID")
		if a.find("[role=alert] a[href='"+requestPath(r.ID)+"']").Length() != 1 {
			t.Errorf("nothing leads to the request\n%s", a.body)
		}
	}
	unknown := erasure.NewRequestID(time.Now()).String()
	b.post("/find", asking("user_id", unknown)).says(http.StatusOK, "Nobody was found")
	b.post("/find", asking("efface_id", unknown)).refused(http.StatusUnprocessableEntity, "Give the whole User ID")
	p := st.person("user_id", r.ID.String()) // a source may call anybody anything
	b.post("/find", asking("user_id", r.ID.String())).leadsTo(profilePath(p.EffaceID))
}

func TestAValueThatDoesNotParseIsSearchedAsTypedAndThatIsSaid(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1", "phone", "ext. none", "email", "nobody at home")
	b := st.signedIn(erasure.Staff)
	b.post("/find", asking("phone", "ext. none")).leadsTo(profilePath(p.EffaceID))
	b.get(profilePath(p.EffaceID)).notice("does not read as a phone number")
	b.post("/find", asking("email", "Nobody at home")).leadsTo(profilePath(p.EffaceID))
	b.get(profilePath(p.EffaceID)).notice("does not read as an e-mail address")
}

func TestWhatCannotBeSearchedIsRefusedWithItsOwnSentence(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	said := map[string]string{}
	for name, form := range map[string]url.Values{
		"table":  {"table": {"company"}, "key": {"email"}, "value": {"ann@example.com"}},
		"key":    asking("shoe_size", "42"),
		"empty":  asking("email", " \u200b "),
		"long":   asking("user_id", strings.Repeat("x", erasure.ValueLength+1)),
		"uuid":   asking("efface_id", "u1"),
		"region": {"key": {"phone"}, "value": {"030 901820"}, "region": {"Germany"}},
	} {
		a := b.post("/find", form).want(http.StatusUnprocessableEntity).holds("value", form.Get("value"))
		text := strings.TrimSpace(a.find("[role=alert][autofocus] li").Text())
		if text == "" || said[text] != "" {
			t.Errorf("%s and %s are both answered %q", name, said[text], text)
		}
		said[text] = name
	}
}

func TestSeveralMatchesAreListedForTheSessionThatAsked(t *testing.T) {
	st := newSite(t)
	one := st.person("user_id", "u1", "email", "family@example.com")
	two := st.person("user_id", "u2", "email", "family@example.com")
	st.requested(two)
	b := st.signedIn(erasure.Staff)
	path := b.post("/find", asking("email", "Family@example.com")).want(http.StatusSeeOther).location()
	if !strings.HasPrefix(path, "/find/") || strings.Contains(path, "family") {
		t.Fatalf("the matches are at %q", path)
	}
	a := b.get(path).want(http.StatusOK)
	for _, p := range []erasure.Profile{one, two} {
		if a.find("a[href='"+profilePath(p.EffaceID)+"']").Length() != 1 {
			t.Errorf("%s is not listed\n%s", p.EffaceID, a.body)
		}
	}
	if strings.Contains(a.body, "family@example.com") || !strings.Contains(a.body, "Pending") {
		t.Errorf("the list shows\n%s", a.body)
	}
	st.signedIn(erasure.Staff).get(path).says(http.StatusNotFound, "Search again")
	b.get("/find/"+uuid.NewString()).says(http.StatusNotFound, "Search again")
	b.get("/find/x").want(http.StatusNotFound)
	if n := st.entries(erasure.ProfileViewed); n != 0 {
		t.Errorf("%d looks are logged, and nobody looked", n)
	}

	st.erase()
	if n := st.signedIn(erasure.Staff).post("/find", asking("email", "family@example.com")); n.location() != profilePath(one.EffaceID) {
		t.Errorf("the one left is not found: %d", n.status)
	}
}

func TestMatchesAreForgottenAndErasedOnesNotListed(t *testing.T) {
	st := newSite(t)
	st.person("user_id", "u1", "email", "family@example.com")
	two := st.person("user_id", "u2", "email", "family@example.com")
	st.requested(two)
	st.clock.Advance(24*time.Hour - 5*time.Minute)
	b := st.signedIn(erasure.Staff)
	path := b.post("/find", asking("email", "family@example.com")).location()
	st.clock.Advance(5 * time.Minute)
	if _, err := st.db.ClaimDue(t.Context(), 500); err != nil {
		t.Fatal(err)
	}
	if n := b.get(path).want(http.StatusOK).find("main a.font-monospace").Length(); n != 1 {
		t.Errorf("%d profiles are listed, not the one that is left", n)
	}
	st.clock.Advance(store.FindLife - 5*time.Minute)
	b.get(path).says(http.StatusNotFound, "Search again")
}

func TestAFormerUserIDIsFoundAsTheProfileItLedTo(t *testing.T) {
	st := newSite(t)
	p := st.merged()
	b := st.signedIn(erasure.Staff)
	b.post("/find", asking("efface_id", p.Former[0].String())).leadsTo(profilePath(p.EffaceID))
	b.get(profilePath(p.EffaceID)).notice("former User ID")
	b.post("/find", asking("efface_id", p.EffaceID.String())).leadsTo(profilePath(p.EffaceID))
	if a := b.get(profilePath(p.EffaceID)); a.find(".alert").Length() != 0 {
		t.Errorf("a notice is shown\n%s", a.body)
	}
}

func inGroups(key, value string) url.Values {
	return url.Values{"table": {"group"}, "key": {key}, "value": {value}}
}

func TestAGroupIsFoundInItsOwnTable(t *testing.T) {
	st := newSite(t)
	g := st.group("acct-7", 1)
	b := st.signedIn(erasure.Staff)
	chosen := func(a reply, table string) {
		t.Helper()
		if got := a.find("input[name=table][checked]").AttrOr("value", ""); a.find("input[name=table]").Length() != 2 || got != table {
			t.Errorf("the form searches in %q, not %q", got, table)
		}
	}
	keys := func(a reply) []string {
		return a.find("#key option").Map(func(_ int, s *goquery.Selection) string { return s.AttrOr("value", "") })
	}
	a := b.get("/find")
	chosen(a, "user")
	if ks := keys(a); !slices.Contains(ks, "user_id") || slices.Contains(ks, "group_id") {
		t.Errorf("people are found by %q", ks)
	}
	a = b.get("/find?table=group").holds("key", "group_id")
	chosen(a, "group")
	if ks := keys(a); !slices.Equal(ks, erasure.KeyNames(erasure.Group)) {
		t.Errorf("groups are found by %q", ks)
	}
	b.get("/find?table=company").want(http.StatusUnprocessableEntity)

	b.post("/find", inGroups("group_id", " acct-7 ")).leadsTo(profilePath(g.EffaceID))
	b.post("/find", inGroups("efface_id", g.EffaceID.String())).leadsTo(profilePath(g.EffaceID))
	b.post("/find", asking("efface_id", g.EffaceID.String())).leadsTo(profilePath(g.EffaceID)) // it names one profile
	a = b.post("/find", inGroups("group_id", "acct-8")).says(http.StatusOK, "No group was found").holds("value", "acct-8").holds("key", "group_id")
	chosen(a, "group")
	a = b.post("/find", inGroups("user_id", storetest.PersonID(0))).refused(http.StatusUnprocessableEntity, "not of the table \"group\"").holds("value", storetest.PersonID(0))
	chosen(a, "group")
	b.post("/find", asking("group_id", "acct-7")).refused(http.StatusUnprocessableEntity, "not of the table \"user\"")
}

package handlers

import (
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

func TestSettingsShowsTheFlags(t *testing.T) {
	st := newSite(t, func(c *Config) {
		c.Settings = []views.Setting{{Flag: "--cancel-window", Variable: "EFFACE_CANCEL_WINDOW", Value: "24h", Meaning: "How long."}}
	})
	a := st.signedIn(erasure.Admin).get("/settings").want(http.StatusOK)
	if a.find(`main a[href="/status"]`).Length() != 1 {
		t.Error("nothing leads to Status")
	}
	if text := a.find("main").Text(); !strings.Contains(text, "--cancel-window") || !strings.Contains(text, "24h") {
		t.Errorf("the page says %s", text)
	}
}

func TestAKeyIsShownOnceAndEndsWhenRevoked(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Admin)
	b.post("/settings/keys", url.Values{"name": {"crm"}, "scope": {"deletions:write", "deletions:read"}, "expires": {"90d"}}).leadsTo("/settings/keys")
	st.signedIn(erasure.Admin).get("/settings/keys").want(http.StatusOK) // not for others to see
	a := b.get("/settings/keys")
	token := a.find("#new-key").Text()
	if b.get("/settings/keys").find("#new-key").Length() != 0 {
		t.Error("the key is shown again")
	}
	k, err := st.db.KeyByToken(t.Context(), token)
	if err != nil || !k.ExpiresAt.Equal(k.CreatedAt.AddDate(0, 0, 90)) {
		t.Fatalf("got %+v, %v", k, err)
	}
	a.says(http.StatusOK, "key:"+k.ID.String()) // as the log and receipts name it
	path := "/settings/keys/" + k.ID.String() + "/revoke"
	b.get(path).want(http.StatusOK)
	b.post(path, nil).leadsTo("/settings/keys")
	if _, err := st.db.KeyByToken(t.Context(), token); err == nil {
		t.Error("the key still opens")
	}
	b.get(path).want(http.StatusNotFound)
	b.post(path, nil).want(http.StatusNotFound)
	if log := st.log.String(); strings.Contains(log, token) || strings.Contains(log, "crm") {
		t.Errorf("the log says %s", log)
	}
}

func TestTheLinesToTryAKeyShowThatItWorksAndChangeNothing(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Admin)
	form := url.Values{"name": {"crm"}, "account_id": {"Ann's $(echo W1)"}}
	for _, s := range erasure.Scopes {
		form.Add("scope", string(s))
	}
	b.post("/settings/keys", form).leadsTo("/settings/keys")
	lines := b.get("/settings/keys").find(".confirmation code[id^=try-]")
	if lines.Length() != len(erasure.Scopes) {
		t.Errorf("there are %d lines for %d scopes", lines.Length(), len(erasure.Scopes))
	}
	lines.Each(func(_ int, line *goquery.Selection) {
		got, err := exec.CommandContext(t.Context(), "sh", "-c", line.Text()).Output()
		want, _, _ := strings.Cut(line.Closest(".copied").Next().Find("code").Text(), "…")
		if err != nil || want == "" || !strings.Contains(string(got), want) {
			t.Errorf("%s answers %s, %v, not %s", line.Text(), got, err, want)
		}
	})
	if a := b.get("/logs"); len(a.listed()) != 0 {
		t.Errorf("a deletion was requested\n%s", a.body)
	}
}

func TestWhoHasJustTriedAKeySeesItsUse(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Admin)
	key := st.key(erasure.ScopeDeletionsRead)
	used := func() string { return b.get("/settings/keys").find("tbody tr td:nth-child(4)").Text() }
	if got := used(); !strings.Contains(got, "never") {
		t.Errorf("before its first use the page says %q", got)
	}
	st.browser().send("GET", "/api/v1/deletions", nil, "Authorization", "Bearer "+key).want(http.StatusOK)
	if got := used(); strings.Contains(got, "never") {
		t.Errorf("after it the page says %q", got)
	}
}

func TestAKeyThatHasEndedStandsApart(t *testing.T) {
	st := newSite(t)
	for _, name := range []string{"crm", "shop"} {
		if _, _, err := st.db.CreateKey(t.Context(), erasure.System, store.NewKey{Name: name, Scopes: erasure.Scopes, AccountID: "W1"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.db.RevokeKey(t.Context(), erasure.System, "crm"); err != nil {
		t.Fatal(err)
	}
	a := st.signedIn(erasure.Admin).get("/settings/keys")
	live, ended := a.find("[aria-label='Live keys'] tbody").Text(), a.find("[aria-label='Keys that have ended'] tbody").Text()
	if !strings.Contains(live, "shop") || strings.Contains(live, "crm") || strings.Contains(ended, "shop") || !strings.Contains(ended, "Revoked") {
		t.Errorf("live are %q, ended %q", live, ended)
	}
}

func TestAWrongKeyFormIsShownAgainWithWhatWasTyped(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Admin)
	st.key(erasure.ScopeDeletionsRead)
	keys, _, err := st.db.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []url.Values{
		{}, {"name": {"crm"}}, {"scope": {"deletions:read"}}, {"name": {"crm"}, "scope": {"all"}}, {"name": {"crm"}, "scope": {"clevertap"}},
		{"name": {"crm"}, "scope": {"deletions:read"}, "expires": {"soon"}}, {"name": {"crm"}, "scope": {"deletions:read"}, "expires": {"-1"}},
		{"name": {"crm"}, "scope": {"deletions:read"}, "expires": {"1.5"}}, {"name": {"crm"}, "scope": {"deletions:read"}, "expires": {"0"}},
		{"name": {"crm"}, "scope": {"deletions:read"}, "expires": {"00000"}}, {"name": {"crm"}, "scope": {"deletions:read"}, "expires": {"d"}},
		{"name": {"crm"}, "scope": {"deletions:read"}, "expires": {"999999"}}, {"name": {keys[0].Name}, "scope": {"deletions:read"}},
	} {
		a := b.post("/settings/keys", form).want(http.StatusUnprocessableEntity)
		if v, _ := a.find("input[name=name]").Attr("value"); v != form.Get("name") || a.find("[role=alert] li").Length() == 0 {
			t.Errorf("%v: the form holds %q\n%s", form, v, a.body)
		}
	}
}

func TestANewOperatorGetsALinkToHandOver(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Admin)
	b.post("/settings/operators", url.Values{"email": {"not an address"}, "role": {"operator"}}).want(http.StatusUnprocessableEntity)
	b.post("/settings/operators", url.Values{"email": {"bob@example.com"}, "role": {"owner"}}).want(http.StatusUnprocessableEntity)
	b.post("/settings/operators", url.Values{"email": {"bob@example.com"}, "role": {"operator"}}).leadsTo("/settings/operators")
	link := b.get("/settings/operators").find("#one-time-link").Text()
	path, ok := strings.CutPrefix(link, st.url)
	if !ok {
		t.Fatalf("the link is %q", link)
	}
	bob := st.browser()
	bob.post(path, url.Values{"password": {goodPassword}}).leadsTo("/")
	bob.get("/settings").want(http.StatusForbidden)
	b.post("/settings/operators", url.Values{"email": {"Bob@example.com"}, "role": {"operator"}}).want(http.StatusUnprocessableEntity)
}

func TestAnAdminChangesAnotherOperator(t *testing.T) {
	st := newSite(t)
	ann := st.invited("ann@example.com", erasure.Admin)
	admin := st.browserOf(ann)
	bob := st.operator("bob@example.com", erasure.Staff)
	page := "/settings/operators/" + bob.ID.String()
	admin.get(page).want(http.StatusOK)
	admin.get("/settings/operators").says(http.StatusOK, "operator:"+bob.ID.String()) // as the log and receipts name them

	b := st.browserOf(bob)
	admin.post(page+"/role", url.Values{"role": {"operator"}}).leadsTo(page)
	admin.get(page).notice("The role is operator already")
	b.get("/account").want(http.StatusOK)
	admin.post(page+"/role", url.Values{"role": {"auditor"}}).leadsTo(page)
	admin.get(page).notice("The role is now auditor, and all sessions of this operator have ended.")
	b.get("/account").leadsTo("/login")
	admin.post(page+"/role", url.Values{"role": {"owner"}}).want(http.StatusUnprocessableEntity)

	b = st.browserOf(bob)
	admin.post(page+"/disabled", url.Values{"disabled": {"yes"}}).leadsTo(page)
	admin.get(page).notice("The account is disabled, and all its sessions")
	b.get("/account").leadsTo("/login")
	st.browser().login("bob@example.com", goodPassword).want(http.StatusUnauthorized)
	admin.post(page+"/disabled", url.Values{"disabled": {"no"}}).leadsTo(page)
	admin.get(page).notice("The account is enabled.")

	admin.post(page+"/reset", nil).leadsTo(page)
	link := strings.TrimPrefix(admin.get(page).find("#one-time-link").Text(), st.url)
	st.browser().post(link, url.Values{"password": {"another good long one"}}).leadsTo("/")

	own := "/settings/operators/" + ann.ID.String()
	for _, form := range []string{"/role", "/disabled"} {
		a := admin.post(own+form, url.Values{"role": {"auditor"}, "disabled": {"yes"}}).want(http.StatusUnprocessableEntity)
		if !strings.Contains(a.find("[role=alert]").Text(), "last active one") {
			t.Errorf("nothing is said\n%s", a.body)
		}
	}
	admin.post("/settings/operators/"+"00000000-0000-0000-0000-000000000000"+"/role", url.Values{"role": {"auditor"}}).want(http.StatusNotFound)
}

package handlers

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func TestAProfileShowsWhatIsHeld(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1", "email", "Ann@Example.com")
	a := st.signedIn(erasure.Staff).get(profilePath(p.EffaceID)).want(http.StatusOK)
	for _, text := range []string{p.EffaceID.String(), "Ann@Example.com", "u1", "shop"} {
		if !strings.Contains(a.find("main").Text(), text) {
			t.Errorf("%q is not shown\n%s", text, a.body)
		}
	}
	if a.find("a[href='"+profilePath(p.EffaceID)+"/delete']").Length() != 1 {
		t.Errorf("nothing leads to the deletion\n%s", a.body)
	}
}

func TestAGroupsProfileCountsItsMembersAndListsNone(t *testing.T) {
	st := newSite(t)
	g := st.group("acct-7", 1001)
	b := st.signedIn(erasure.Staff)
	a := b.get(profilePath(g.EffaceID)).want(http.StatusOK)
	if got := a.fact("Members"); got != "1,001" || a.find("h1").Text() != "Profile of a group" || a.fact("About") != "Account (group)" {
		t.Errorf("the page says %q members\n%s", got, a.find("main").Text())
	}
	if strings.Contains(a.find("main").Text(), storetest.PersonID(1000)) || a.fact("Groups") != "" {
		t.Errorf("the page shows who is a member\n%s", a.find("main").Text())
	}
	if a.find("a[href='/find?table=group']").Length() != 1 {
		t.Error("nothing leads to another group")
	}
	p := storetest.One(t, st.db, "user_id", storetest.PersonID(3))
	a = b.get(profilePath(p.EffaceID)).want(http.StatusOK)
	if a.find("main a[href='"+profilePath(g.EffaceID)+"']").Text() != g.EffaceID.String() {
		t.Error("nothing leads to the member's group")
	}
	for of, holds := range map[uuid.UUID]string{p.EffaceID: `"group_efface_ids":["` + g.EffaceID.String() + `"]`, g.EffaceID: `"group_efface_ids":[]`} {
		if file := b.get(profilePath(of) + "/data.json").want(http.StatusOK).body; !strings.Contains(file, holds) {
			t.Errorf("the file is %s, and holds no %s", file, holds)
		}
	}
	if got := a.fact("Groups"); got != "1" || a.fact("Members") != "" || strings.Contains(a.body, "acct-7") {
		t.Errorf("the member's page says %q groups\n%s", got, a.find("main").Text())
	}
}

// I8: who looked at whose profile is logged, without the data.
func TestI8ALookAtAProfileIsLogged(t *testing.T) {
	st := newSite(t)
	ann := st.invited("ann@example.com", erasure.Staff)
	p := st.person("email", "somebody@example.com")
	b := st.browserOf(ann)
	path := b.post("/find", asking("email", "somebody@example.com")).location()
	if n := st.entries(erasure.ProfileViewed); n != 0 {
		t.Errorf("%d looks are logged before the profile was shown", n)
	}
	b.get(path).want(http.StatusOK)
	if n := st.entries(erasure.ProfileViewed); n != 1 {
		t.Errorf("%d looks are logged, want 1", n)
	}
	as, _, err := st.db.Activity(t.Context(), "", 1)
	if err != nil || as[0].Actor != "ann@example.com" || as[0].EffaceID == nil || *as[0].EffaceID != p.EffaceID {
		t.Errorf("the log says %+v, %v", as[0], err)
	}
}

func TestAProfileTellsWhatJoinedWhat(t *testing.T) {
	st := newSite(t)
	p := st.merged()
	b := st.signedIn(erasure.Staff)
	row := words(b.get(profilePath(p.EffaceID)).want(http.StatusOK).find("table:has(th:contains('Former User ID')) tbody tr"))
	if !strings.Contains(row, p.Former[0].String()+" "+p.EffaceID.String()+" E-mail new@example.com") {
		t.Errorf("the page says %q", row)
	}
	other := st.person("email", "third@example.com")
	r := st.requested(other)
	st.person("email", "third@example.com", "email", "old@example.com")
	for waits, on := range map[uuid.UUID]uuid.UUID{p.EffaceID: other.EffaceID, other.EffaceID: p.EffaceID} {
		if a := b.get(profilePath(waits)).says(http.StatusOK, "Waiting until the request is cancelled"); a.find("a[href='"+profilePath(on)+"']").Length() == 0 {
			t.Errorf("nothing leads to the profile that waits for %v", r.ID)
		}
	}
}

func TestASourceOfJoinedProfilesIsListedOnce(t *testing.T) {
	st := newSite(t)
	p := st.merged()
	b := st.signedIn(erasure.Staff)
	for _, path := range []string{profilePath(p.EffaceID), deletionPath(p)} {
		rows := b.get(path).want(http.StatusOK).find("table:has(td.years) tbody tr")
		if got := words(rows.Find("td:first-child, .num")); rows.Length() != 1 || got != "shop 2 0 0" {
			t.Errorf("the sources of %s are %q", path, got)
		}
	}
}

func TestAProfileTellsWhatWasOverTheLimit(t *testing.T) {
	st := newSite(t)
	for i := range 102 {
		st.person("user_id", "u1", "anonymous_id", fmt.Sprint("cookie-", i))
	}
	p := storetest.One(t, st.db, "user_id", "u1")
	b := st.signedIn(erasure.Staff)
	b.get(deletionPath(p)).says(http.StatusOK, "A profile takes 100 identifiers of a key at most")
	b.get(profilePath(p.EffaceID)).says(http.StatusOK, "A profile takes 100 identifiers of a key at most").
		says(http.StatusOK, "Anonymous ID (anonymous_id): not kept 2 times, last on")
}

func TestAFormerUserIDLeadsToTheProfile(t *testing.T) {
	st := newSite(t)
	p := st.merged()
	b := st.signedIn(erasure.Staff)
	b.get(profilePath(p.Former[0])).leadsTo(profilePath(p.EffaceID))
	b.get(profilePath(p.EffaceID)).notice("former User ID")
	b.get(profilePath(p.Former[0]) + "/delete").leadsTo(profilePath(p.EffaceID))
	b.get(profilePath(p.EffaceID)).notice("former User ID")
	if n := st.entries(erasure.ProfileViewed); n != 2 {
		t.Errorf("%d looks are logged, want 2", n)
	}
}

func TestAProfileThatIsNotThereSaysWhatBecameOfIt(t *testing.T) {
	st := newSite(t)
	p := st.person("email", "ann@example.com")
	st.requested(p)
	b := st.signedIn(erasure.Staff)
	b.get("/profiles/"+uuid.NewString()).says(http.StatusNotFound, "No profile has this User ID")
	b.get("/profiles/u1").want(http.StatusNotFound)
	st.claim()
	b = st.signedIn(erasure.Staff)
	for _, path := range []string{profilePath(p.EffaceID), profilePath(p.EffaceID) + "/delete"} {
		b.get(path).says(http.StatusNotFound, "is being erased")
	}
	st.erase()
	b = st.signedIn(erasure.Staff)
	b.get(profilePath(p.EffaceID)).says(http.StatusNotFound, "has been erased")
}

package handlers

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// goes is what the form says will go under a name.
func goes(a reply, name string) string {
	dt := a.find("#seen dt").FilterFunction(func(_ int, s *goquery.Selection) bool { return s.Text() == name })
	return words(dt.Parent().Find("dd"))
}

func TestWhatGoesIsCountedBeforeItIsConfirmed(t *testing.T) {
	st := newSite(t)
	at := st.clock.Now().Wall
	for i, id := range []string{"a1", "a2", "a3"} {
		storetest.Tell(t, st.db, ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: []string{"shop", "web", "web"}[i], At: at.AddDate(-i, 0, 0),
			Identifiers: storetest.Identifiers("user_id", "u1", "anonymous_id", id, "email", "team@example.com"),
			Traits:      map[string]jsontext.Value{"plan": jsontext.Value(`"pro"`)}, Record: []byte(`{"event":"x"}`)})
	}
	st.person("user_id", "u2", "email", "team@example.com")
	st.person("user_id", "u3", "email", "team@example.com")
	p := storetest.One(t, st.db, "user_id", "u1")
	a := st.signedIn(erasure.Staff).get(deletionPath(p)).want(http.StatusOK)
	for name, want := range map[string]string{
		"Identifiers":       "5 1 user_id (from a source), 3 Anonymous ID (anonymous_id), 1 E-mail",
		"Traits":            "2",
		"Records":           fmt.Sprintf("3 %d: 1, %d: 1, %d: 1", at.Year(), at.Year()-1, at.Year()-2),
		"Groups":            "0",
		"Stays with others": "1 identifier of these: it is erased from this person and still leads to 2 other profiles",
	} {
		if got := goes(a, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	years := a.find("td.years").Map(func(_ int, s *goquery.Selection) string { return words(s) })
	if want := []string{fmt.Sprintf("%d: 1", at.Year()), fmt.Sprintf("%d: 1, %d: 1", at.Year()-1, at.Year()-2)}; !slices.Equal(years, want) {
		t.Errorf("by source the years are %q, want %q", years, want)
	}
}

func TestWhatGrewMeanwhileIsToldAndAskedForAgain(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1", "email", "ann@example.com")
	b := st.signedIn(erasure.Staff)
	seen := func(a reply) string { return a.find("input[name=seen]").AttrOr("value", "") }
	form := confirmed(p.EffaceID.String())
	form.Set("seen", seen(b.get(deletionPath(p))))
	form.Set("reason", "by mail")
	form.Set("reference", "DSR-1")
	form.Set("suppress", "yes")
	storetest.Identify(t, st.db, "web", "user_id", "u1", "anonymous_id", "a1", "phone", "+49301234567")
	a := b.post(deletionPath(p), form).refused(http.StatusConflict, "2 identifiers and 1 source came since you looked").
		holds("confirm", p.EffaceID.String()).holds("reason", "by mail").holds("reference", "DSR-1").says(http.StatusConflict, "a1")
	if a.find("#suppress[checked]").Length() != 1 || len(st.requests()) != 0 {
		t.Error("the box is not ticked, or something was requested")
	}
	if rows := a.find("tr:has(td:contains('New'))").Map(func(_ int, s *goquery.Selection) string { return words(s.Find("td:first-child, .value")) }); !slices.Equal(rows,
		[]string{"Anonymous ID (anonymous_id) a1 New", "Phone +49301234567 New", "web New"}) {
		t.Errorf("marked as new are %q", rows)
	}
	// What is new stays new until it was told, also where something else was wrong.
	form.Set("seen", seen(a))
	form.Set("confirm", "not it")
	storetest.Identify(t, st.db, "web", "user_id", "u1", "anonymous_id", "a2")
	a = b.post(deletionPath(p), form).refused(http.StatusUnprocessableEntity, "")
	form = st.confirmed(p)
	form.Set("seen", seen(a))
	form.Set("seen", seen(b.post(deletionPath(p), form).refused(http.StatusConflict, "1 identifier came")))
	b.post(deletionPath(p), form).want(http.StatusSeeOther)
	p = st.person("user_id", "u2")
	b.post(deletionPath(p), confirmed(p.EffaceID.String())).refused(http.StatusConflict, "Check what will go")
}

func TestAnIdentifierThatCameToBeSharedIsMarked(t *testing.T) {
	st := newSite(t)
	p := st.person("user_id", "u1", "email", "ann@example.com")
	form := st.confirmed(p)
	st.person("user_id", "u2", "email", "ann@example.com")
	a := st.signedIn(erasure.Staff).post(deletionPath(p), form).refused(http.StatusConflict, "1 of the identifiers came to lead to another")
	if got := words(a.find("td.value:contains('New')")); !strings.HasPrefix(got, "ann@example.com New Also leads to another profile") {
		t.Errorf("marked as new is %q", got)
	}
}

func TestWhatWasSeenOfOneProfileConfirmsNoOther(t *testing.T) {
	st := newSite(t)
	p, other := st.person("user_id", "u1"), st.person("user_id", "u2")
	b := st.signedIn(erasure.Staff)
	form := st.confirmed(p)
	form.Set("seen", st.confirmed(other).Get("seen"))
	a := b.post(deletionPath(p), form).refused(http.StatusConflict, "Check what will go, then confirm again.")
	if a.find("td:contains('New')").Length() != 0 {
		t.Error("something is marked as new")
	}
}

func TestOfManyIdentifiersAFewOfEachKeyAreListed(t *testing.T) {
	st := newSite(t)
	for i := range 30 {
		st.person("email", "ann@example.com", "anonymous_id", fmt.Sprint("cookie-", i))
	}
	p := storetest.One(t, st.db, "email", "ann@example.com")
	b := st.signedIn(erasure.Staff)
	pages := []reply{b.get(profilePath(p.EffaceID)), b.get(deletionPath(p))}
	for _, a := range append(pages, b.get(cancelPath(st.requested(p)))) {
		a.says(http.StatusOK, "ann@example.com").says(http.StatusOK, "and 10 more")
		if n := a.find("td.value").Length(); n != 21 {
			t.Errorf("%d values are listed, want 20 of one key and 1 of the other", n)
		}
		if rest := a.find("details li").Map(func(_ int, s *goquery.Selection) string { return words(s) }); len(rest) != 10 || rest[9] != "cookie-29 from shop" {
			t.Errorf("the rest is %q", rest)
		}
	}
}

func TestOneIdentifierInTwoSpellingsIsCountedOnce(t *testing.T) {
	st := newSite(t)
	p := st.person("email", "Ann@Example.com")
	storetest.Identify(t, st.db, "web", "email", "ann@example.com")
	b := st.signedIn(erasure.Staff)
	a := b.get(deletionPath(p)).want(http.StatusOK)
	if got, want := goes(a, "Identifiers"), "1 1 E-mail"; got != want {
		t.Errorf("the form counts %q, want %q", got, want)
	}
	if got := words(a.find("tr:has(td.value)")); got != "E-mail Ann@Example.com shop, web" {
		t.Errorf("the table lists %q", got)
	}
	path := b.post(deletionPath(p), st.confirmed(p)).location()
	if got, want := b.get(path).fact("Data"), "1 identifier, 0 records found when asked"; got != want {
		t.Errorf("the request says %q, want %q", got, want)
	}
}

package views_test

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

// grown is a profile with so many identifiers of several keys, the first of
// which other profiles share.
func grown(identifiers, others int) erasure.Profile {
	p := erasure.Profile{EffaceID: uuid.New(), Table: erasure.User}
	for i := range identifiers {
		value := fmt.Sprint("value-", i)
		h := erasure.HeldIdentifier{Key: []string{"email", "phone", "anonymous_id", "device"}[i%4], Value: value, Normalised: value, Source: []string{"shop", "crm"}[i%2]}
		if i == 0 {
			h.Shared, h.More = true, max(0, others-10)
			for range min(others, 10) {
				h.Others = append(h.Others, uuid.New())
			}
		}
		p.Identifiers = append(p.Identifiers, h)
	}
	for _, s := range []string{"shop", "crm"} {
		p.Sources = append(p.Sources, erasure.Source{Name: s})
	}
	return p
}

func graphOf(t *testing.T, p erasure.Profile) *goquery.Selection {
	t.Helper()
	svg := render(t, views.Profile(views.Page{}, p)).Find("svg.graph")
	if svg.Length() != 1 {
		t.Fatalf("the page has %d graphs", svg.Length())
	}
	return svg
}

func texts(s *goquery.Selection) []string {
	return s.Map(func(_ int, s *goquery.Selection) string { return strings.Trim(s.Text(), "\u2068\u2069") })
}

func TestTheGraphShowsWhichSourceGaveWhatAndWhomItLeadsTo(t *testing.T) {
	svg := graphOf(t, grown(3, 2))
	for class, want := range map[string][]string{"graph-source": {"shop", "crm"}, "graph-this": {"This profile"}} {
		if got := texts(svg.Find("svg." + class + " text")); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", class, got, want)
		}
	}
	if n := svg.Find("svg.graph-id").Length(); n != 3 {
		t.Errorf("%d identifiers are drawn", n)
	}
	if n, m := svg.Find("svg.graph-other").Length(), svg.Find("path.graph-shared").Length(); n != 2 || m != 2 {
		t.Errorf("%d other profiles are drawn, and %d lines to them", n, m)
	}
	if n := svg.Find("path").Length(); n != 3+3+2 {
		t.Errorf("%d lines are drawn", n)
	}
}

// Whatever is drawn stands inside the picture, and no box in another.
func TestTheGraphsBoxesDoNotOverlap(t *testing.T) {
	for _, p := range []erasure.Profile{grown(1, 0), grown(3, 3), grown(60, 10), grown(60, 400), grown(3000, 2000)} {
		svg := graphOf(t, p)
		number := func(s *goquery.Selection, name string) int {
			n, err := strconv.Atoi(s.AttrOr(name, ""))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		taken := map[[2]int]string{}
		svg.Find("svg").Each(func(_ int, s *goquery.Selection) {
			x, y := number(s, "x"), number(s, "y")
			if x+number(s, "width") > number(svg, "width") || y+number(s, "height") > number(svg, "height") {
				t.Errorf("%q stands outside", s.Text())
			}
			for i := range number(s, "height") {
				if at := [2]int{x, y + i}; taken[at] != "" {
					t.Errorf("%q stands on %q", s.Text(), taken[at])
				} else {
					taken[at] = s.Text()
				}
			}
		})
		if n := svg.Find("svg").Length(); n > 120 {
			t.Errorf("of %d identifiers %d boxes are drawn", len(p.Identifiers), n)
		}
	}
}

func TestTheGraphOfManyIdentifiersShowsAFewOfEachKey(t *testing.T) {
	p := grown(60, 0)
	if n := graphOf(t, p).Find("svg.graph-id").Length(); n != 60 {
		t.Errorf("of 60 identifiers %d are drawn", n)
	}
	svg := graphOf(t, grown(1440, 0))
	if got, want := texts(svg.Find("svg.graph-more text")), []string{"and 345 more", "and 345 more", "and 345 more", "and 345 more"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the rest is %q, want %q", got, want)
	}
	same := func() string { html, _ := goquery.OuterHtml(graphOf(t, p)); return html }
	if first, again := same(), same(); first != again {
		t.Error("one profile has two pictures")
	}
}

func TestOtherProfilesThatAreNotDrawnAreCounted(t *testing.T) {
	p := grown(5, 10)
	for i := range p.Identifiers {
		p.Identifiers[i].Shared, p.Identifiers[i].Others = true, append([]uuid.UUID{p.Identifiers[0].Others[0]}, grown(1, 9).Identifiers[0].Others...)
	}
	page := render(t, views.Profile(views.Page{}, p))
	if n := page.Find("svg.graph svg.graph-other").Length(); n != 30 {
		t.Errorf("%d other profiles are drawn", n)
	}
	if got, want := texts(page.Find("svg.graph-more text")), []string{"and 16 more, listed below"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the picture says %q, want %q", got, want)
	}
	if n, m := page.Find("path.graph-shared").Length(), page.Find(".others a").Length(); n != 34+2 || m != 50 {
		t.Errorf("%d lines lead to others, and %d links", n, m)
	}
}

func TestHostileValuesAreTextInTheGraph(t *testing.T) {
	p := grown(1, 0)
	for _, value := range []string{`"><script>alert(1)</script>`, "\u202eevil\u2066", strings.Repeat("x", 1000), strings.Repeat("\U0001F469\u200d\U0001F680", 100), "עברית", "a\tb"} {
		p.Identifiers = append(p.Identifiers, erasure.HeldIdentifier{Key: "device", Value: value, Normalised: value, Source: "shop"})
	}
	svg := graphOf(t, p)
	drawn := texts(svg.Find("svg.graph-id text"))
	if len(drawn) != 7 || svg.Find("script").Length() > 0 {
		t.Fatalf("%d identifiers are drawn, and %d scripts", len(drawn), svg.Find("script").Length())
	}
	for _, text := range drawn {
		if len([]rune(text)) > 65 || strings.ContainsAny(text, "\u202e\u2066\t") {
			t.Errorf("%q is drawn", text)
		}
	}
	if whole := render(t, views.Profile(views.Page{}, p)).Find("td.value").Text(); !strings.Contains(whole, strings.Repeat("x", 1000)) {
		t.Error("the table does not hold the whole value")
	}
}

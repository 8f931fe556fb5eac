package handlers

import (
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/efface/efface/store/erasure"
)

func TestDevelopersShowsEveryRouteForScriptsAndNoOther(t *testing.T) {
	st := newSite(t)
	var served []string
	for _, rt := range st.server.table() {
		if rt.may.scope != "" {
			served = append(served, rt.method+" "+strings.TrimSuffix(rt.path, "{$}")+" "+string(rt.may.scope))
		}
	}
	for _, role := range erasure.Roles {
		page := st.signedIn(role).get("/developers").want(http.StatusOK)
		var listed []string
		page.find("[data-route]").Each(func(_ int, rt *goquery.Selection) {
			listed = append(listed, rt.Find("h3").Text()+" "+rt.Find("p code").Text())
			if rt.Find(".copied").Length() == 0 {
				t.Errorf("%s has no line", rt.Find("h3").Text())
			}
		})
		slices.Sort(served)
		slices.Sort(listed)
		if !slices.Equal(served, listed) {
			t.Errorf("served are\n%s\nlisted are\n%s", strings.Join(served, "\n"), strings.Join(listed, "\n"))
		}
		if leads := page.find("main a[href='/settings/keys']").Length() > 0; leads != (role == erasure.Admin) {
			t.Errorf("a link to make a key is there for %s: %v", role, leads)
		}
	}
}

// Each line is run as it stands there, but for the key: it may find nobody,
// and is refused for no other reason.
func TestTheLinesOfDevelopersWorkWithAKeyPutIn(t *testing.T) {
	st := newSite(t)
	key := st.key(erasure.Scopes...)
	shell := func(line string) (answer string, status string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "sh", "-c", line+` -w '\n%{http_code}'`).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		text := string(out)
		end := strings.LastIndex(text, "\n")
		return text[:end], text[end+1:]
	}
	page := st.signedIn(erasure.Admin).get("/developers")
	lines := page.find("[data-route] .copied code")
	if lines.Length() < 24 {
		t.Errorf("there are %d lines", lines.Length())
	}
	lines.Each(func(_ int, code *goquery.Selection) {
		line := code.Text()
		if _, status := shell(line); status != "401" && status != "403" {
			t.Errorf("%s: without a key it is answered %s", line, status)
		}
		filled := strings.NewReplacer(anyKey, key, anyAccount, "W1").Replace(line)
		answer, status := shell(filled)
		if !slices.Contains([]string{"200", "202", "404"}, status) || strings.Contains(answer, "no such route") {
			t.Errorf("%s: %s %s", line, status, answer)
		}
		method, path, _ := strings.Cut(code.Closest("[data-route]").Find("h3").Text(), " ")
		r, err := http.NewRequest(method, st.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.URL, err = url.Parse(line[strings.Index(line, st.url):strings.Index(line, "' -H")]); err != nil {
			t.Fatal(err)
		}
		_, pattern := st.server.mux.Handler(r)
		if rt := st.server.routes[pattern]; rt.method != method || strings.TrimSuffix(rt.path, "{$}") != path {
			t.Errorf("%s leads to %s, not %s", line, pattern, path)
		}
	})
}

func TestEveryScopeHasALineThatChangesNothing(t *testing.T) {
	st := newSite(t)
	for _, scope := range erasure.Scopes {
		if line, ok := st.server.trial(scope, "W1", "t"); !ok || line.Scope != scope {
			t.Errorf("%s has none", scope)
		}
	}
}

func TestTheLinesOfDevelopersLeadToTheAddressThatPeopleReach(t *testing.T) {
	st := newSite(t, func(c *Config) { c.BaseURL = "https://efface.example.com" })
	for _, api := range st.server.apis {
		for _, rt := range api.Routes {
			for _, e := range rt.Examples {
				if line := api.Curl(st.server.config.BaseURL, rt, e, anyAccount, anyKey); !strings.Contains(line, " 'https://efface.example.com/") {
					t.Errorf("%s leads elsewhere", line)
				}
			}
		}
	}
}

func TestDevelopersSaysWhatTheOpenAPIFileSays(t *testing.T) {
	st := newSite(t)
	d := openDocument(t, st)
	for _, rt := range st.server.ownAPI().Routes {
		if said, _ := d.at(d["paths"], rt.Path, strings.ToLower(rt.Method), "summary").(string); said+"." != rt.Does {
			t.Errorf("%s %s: %q and %q", rt.Method, rt.Path, said, rt.Does)
		}
	}
}

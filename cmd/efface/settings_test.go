package main

import (
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// settingsOf makes the first admin of a server and reads its page Settings.
func settingsOf(t *testing.T, s *served) map[string]string {
	t.Helper()
	v := newVisitor(t, s.base, "")
	_, link, _ := strings.Cut(s.out[1], s.base)
	want(t, http.StatusSeeOther, "setting up")(v.form(link, "email", "ann@example.com", "password", "three plain green bottles"))
	page := want(t, http.StatusOK, "Settings")(v.send("GET", "/settings", nil))
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(page.body))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	doc.Find("main tbody tr").Each(func(_ int, row *goquery.Selection) {
		values[row.Find("code").First().Text()] = row.Find(".value").Text()
	})
	return values
}

func TestSettingsShowsWhatIsInForceWhereNothingWasSet(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, 2, "serve", "--data", data, "--listen", "127.0.0.1:0", "--trusted-proxy", "10.0.0.0/8,::1/128")
	got := settingsOf(t, s)
	for flag, value := range map[string]string{
		"--data": data, "--master-key": filepath.Join(data, "master.key"), "--keyring": filepath.Join(data, "keyring.db"),
		"--base-url": s.base, "--listen": strings.TrimPrefix(s.base, "http://"), "--ops-listen": "none", "--phone-region": "none",
		"--cancel-window": "24h", "--keep-log": "1096d", "--suppress": "false", "--suppress-for": "1096d", "--key-limit": "100", "--at-once-per-key": "256", "--clevertap-concurrency": "15", "--trusted-proxy": "10.0.0.0/8, ::1/128",
	} {
		if got[flag] != value {
			t.Errorf("%s is shown as %q, not %q; shown are %q", flag, got[flag], value, slices.Sorted(maps.Keys(got)))
		}
	}
	s.stop(t)
}

func TestLinksThatCommandsPrintLeadToTheServer(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	e := must(t, "operator", "create", "--data", data, "--email", "ann@example.com", "--role", "admin")
	if !strings.HasPrefix(e.stdout, "http://127.0.0.1:8080/link/") || !strings.Contains(e.stderr, "--base-url") {
		t.Errorf("before the first server create says %q and prints %q", e.stderr, e.stdout)
	}
	s := serve(t, 1, "serve", "--data", data, "--listen", "127.0.0.1:0")
	beside := must(t, "operator", "reset-password", "--data", data, "ann@example.com")
	s.stop(t)
	after := must(t, "operator", "create", "--data", data, "--email", "bob@example.com", "--role", "admin")
	for _, e := range []ended{beside, after} {
		if !strings.HasPrefix(e.stdout, s.base+"/link/") || strings.Contains(e.stderr, "--base-url") {
			t.Errorf("with a server on %s a command says %q and prints %q", s.base, e.stderr, e.stdout)
		}
	}
	serve(t, 1, "serve", "--data", data, "--listen", "127.0.0.1:0", "--base-url", "https://efface.example.com/").stop(t)
	if e := must(t, "operator", "reset-password", "--data", data, "bob@example.com"); !strings.HasPrefix(e.stdout, "https://efface.example.com/link/") {
		t.Errorf("the link is %q", e.stdout)
	}
}

func TestTheFirstUseWithoutAPhoneRegionIsTold(t *testing.T) {
	t.Parallel()
	data, file := filepath.Join(t.TempDir(), "data"), people(t, 1)
	if e := must(t, "import", "--data", data, file); !strings.Contains(e.stderr, "--phone-region") {
		t.Errorf("the first import says %q", e.stderr)
	}
	if e := must(t, "import", "--data", data, file); strings.Contains(e.stderr, "--phone-region") {
		t.Errorf("the second import says %q", e.stderr)
	}
	data = filepath.Join(t.TempDir(), "data")
	if e := must(t, "import", "--data", data, "--phone-region", "DE", file); strings.Contains(e.stderr, "--phone-region") {
		t.Errorf("an import with a region says %q", e.stderr)
	}
}

func TestAServerThatCannotListenFixesNoPhoneRegion(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	efface(t, "", "serve", "--data", data, "--listen", "nowhere").refused(t, "It is not possible to listen")
	must(t, "import", "--data", data, "--phone-region", "DE", people(t, 1))
}

package main

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store/storetest"
)

func TestKeyCreatePrintsTheKeyAlone(t *testing.T) {
	t.Parallel()
	data := newStore(t)
	e := must(t, "key", "create", "--data", data, "--name", "crm", "--scope", "customerlabs,deletions:read", "--expires", "90d")
	if !regexp.MustCompile(`^efk_\S{43}\n$`).MatchString(e.stdout) {
		t.Errorf("stdout holds %q", e.stdout)
	}
	efface(t, "", "key", "create", "--data", data, "--name", "crm", "--scope", "profiles:read").refused(t, "another name")
	efface(t, "", "key", "create", "--data", data, "--name", "x", "--scope", "all").misused(t, "deletions:write, deletions:read")
	if e := must(t, "key", "list", "--data", data); !strings.Contains(e.stdout, "crm") || strings.Contains(e.stdout, "efk_") {
		t.Errorf("the list is %q", e.stdout)
	}
	must(t, "key", "revoke", "--data", data, "crm")
	efface(t, "", "key", "revoke", "--data", data, "crm").refused(t, "The key crm was revoked already, at 20")
	efface(t, "", "key", "revoke", "--data", data, "other").refused(t, "no such key to revoke")
}

func TestOperatorsAreMadeWithAPasswordOrALink(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	e := must(t, "operator", "create", "--data", data, "--email", "ann@example.com", "--role", "admin", "--base-url", "https://efface.example.com")
	if !regexp.MustCompile(`^https://efface\.example\.com/link/\S{43}\n$`).MatchString(e.stdout) {
		t.Errorf("stdout holds %q", e.stdout)
	}
	args := []string{"operator", "create", "--data", data, "--email", "bob@example.com", "--role", "auditor", "--password-stdin"}
	efface(t, "short\n", args...).misused(t, "15")
	if e := efface(t, "three plain green bottles\n", args...); e.code != 0 || e.stdout != "" {
		t.Errorf("create ended with %d: %s%s", e.code, e.stdout, e.stderr)
	}
	efface(t, "three plain green bottles\n", args...).refused(t, "another e-mail address")
	must(t, "operator", "disable", "--data", data, "--email", "bob@example.com")
	must(t, "operator", "reset-password", "--data", data, "ann@example.com")
	efface(t, "", "operator", "reset-password", "--data", data, "bob@example.com").refused(t, "Enable the account")
	efface(t, "", "operator", "disable", "--data", data, "ann@example.com").refused(t, "last active")
	efface(t, "", "operator", "disable", "--data", data, "--email", "bob@example.com", "ann@example.com").misused(t, "Name one account")
	if e := must(t, "operator", "list", "--data", data); !strings.Contains(e.stdout, "bob@example.com") || !strings.Contains(e.stdout, "disabled") {
		t.Errorf("the list is %q", e.stdout)
	}
	if e := efface(t, "", "operator", "create", "--data", data, "--email", "c@example.com", "--role", "king"); e.code != exitUsage {
		t.Errorf("an unknown role ends with %d: %s", e.code, e.stderr)
	}
}

func TestWhatCommandsDoIsLoggedAsDoneAtTheTerminal(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	must(t, "operator", "create", "--data", data, "--email", "ann@example.com", "--role", "admin")
	must(t, "operator", "create", "--data", data, "--email", "bob@example.com", "--role", "auditor")
	must(t, "operator", "reset-password", "--data", data, "ann@example.com")
	must(t, "operator", "disable", "--data", data, "bob@example.com")
	must(t, "key", "create", "--data", data, "--name", "crm", "--scope", "profiles:read")
	must(t, "key", "revoke", "--data", data, "crm")
	entries := storetest.CheckLog(t, data)
	for _, e := range entries {
		if e.Actor != "terminal" {
			t.Errorf("%s is logged as done by %s", e.Kind, e.Actor)
		}
	}
	if len(entries) != 8 { // each of the two operators was given a link as well
		t.Errorf("%d entries are logged", len(entries))
	}
}

func TestDurationsTakeDays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "1d12h": 36 * time.Hour, "24h": 24 * time.Hour, "2s": 2 * time.Second} {
		var s span
		if err := s.UnmarshalText([]byte(text)); err != nil || s.Duration != want {
			t.Errorf("%s is %s, %v", text, s.Duration, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1.5d", "0s", "-2h", "2 days", "99999999d"} {
		var s span
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %s", text, s.Duration)
		}
	}
	for d, want := range map[time.Duration]string{24 * time.Hour: "24h", 30 * 24 * time.Hour: "30d", 90 * time.Minute: "1h30m", 2 * time.Second: "2s"} {
		if got := (span{d}).String(); got != want {
			t.Errorf("%s is written %q", d, got)
		}
	}
}

func TestEveryFlagOfServeIsASettingWithItsVariable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	must(t, "version")
	code := run(t.Context(), []string{"serve", "--help"}, program{stdout: &out, stderr: &out, env: func(string) (string, bool) { return "", false }})
	for _, want := range []string{"--ops-listen", "EFFACE_OPS_LISTEN", "--cancel-window", "EFFACE_CANCEL_WINDOW", "--master-key", "EFFACE_TRUSTED_PROXY"} {
		if code != 0 || !strings.Contains(out.String(), want) {
			t.Errorf("the help, which ended with %d, lacks %s", code, want)
		}
	}
}

func TestADemoIsFilledOnceAndLetsItsStarterIn(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "demo")
	args := []string{"demo", "--data", data, "--listen", "127.0.0.1:0", "--people", "100"}
	first := serve(t, 3, args...)
	if !strings.Contains(first.out[1], first.base+"/link/") || !strings.Contains(first.out[2], "curl") {
		t.Errorf("the demo prints %q", first.out)
	}
	if code := first.stop(t); code != 0 {
		t.Errorf("the demo ended with %d: %s", code, first.log)
	}
	key := regexp.MustCompile(`efk_[^']+`).FindString(first.out[2])
	second := serve(t, 3, args...)
	req, _ := http.NewRequest("POST", second.base+"/user-deletion/", strings.NewReader(`{"identify_by_key":"email","identify_by_value":"bjorn.hansen@yahoo.no"}`))
	for token, want := range map[string]int{key: http.StatusForbidden, regexp.MustCompile(`efk_[^']+`).FindString(second.out[2]): http.StatusOK} {
		again := req.Clone(t.Context())
		again.Body, _ = req.GetBody()
		again.Header.Set("X-API-Key", token)
		resp, err := http.DefaultClient.Do(again)
		if err != nil || resp.StatusCode != want {
			t.Errorf("the API answers %v, %v to a key that should get %d", resp, err, want)
		}
	}
	second.stop(t)
	if log := second.log.String(); strings.TrimSpace(log) != "" {
		t.Errorf("a demo that is filled says beside its lines %q", log)
	}
	keys := must(t, "key", "list", "--data", data).stdout
	if strings.Count(keys, "\ndemo ") != 2 || strings.Count(keys, "\nticket-desk ") != 1 || strings.Count(keys, " live ") != 2 {
		t.Errorf("after two starts there are the keys\n%s", keys)
	}
}

func TestADemoDoesNotOpenARealStore(t *testing.T) {
	t.Parallel()
	efface(t, "", "demo", "--data", filled(t), "--listen", "127.0.0.1:0").refused(t, "is not a demo")
}

func TestMadePeopleAreKeptApart(t *testing.T) {
	t.Parallel()
	phones := map[string]bool{}
	shared := 0
	emails := map[string]bool{}
	for i := range 2000 {
		p := makePerson(i)
		if phones[p.phone] {
			t.Fatalf("two people have the number %s", p.phone)
		}
		phones[p.phone] = true
		if emails[p.email] {
			shared++
		}
		emails[p.email] = true
		if !strings.HasSuffix(p.email, "@example.com") || !strings.Contains(p.phone, ") 555-") {
			t.Fatalf("%+v could be somebody", p)
		}
	}
	if shared != 50 {
		t.Errorf("%d e-mail addresses are shared", shared)
	}
}

func TestTheMasterKeyIsChangedWhileNothingElseRuns(t *testing.T) {
	t.Parallel()
	data := newStore(t)
	efface(t, "", "key", "rotate-master", "--data", filepath.Join(data, "none")).refused(t, "There is no store in")
	must(t, "import", "--data", data, people(t, 50))
	server := serve(t, 1, "serve", "--data", data, "--listen", "127.0.0.1:0")
	efface(t, "", "key", "rotate-master", "--data", data).refused(t, "stop the server and any other command first")
	server.stop(t)
	for range 2 {
		if e := must(t, "key", "rotate-master", "--data", data); !strings.Contains(e.stderr, "The master key is changed") {
			t.Errorf("the change says %q", e.stderr)
		}
	}
	if code := serve(t, 1, "serve", "--data", data, "--listen", "127.0.0.1:0").stop(t); code != 0 {
		t.Errorf("the next server ended with %d", code)
	}
	changes := 0
	for _, e := range storetest.CheckLog(t, data) {
		if e.Kind == "master.rotated" && e.Actor == "terminal" {
			changes++
		}
	}
	if changes != 2 {
		t.Errorf("%d changes are logged", changes)
	}
}

package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestAScanFindsNobodyInAStore(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	people := s.crowd(30, 0)
	s.serve("24h")
	s.importCalls(people, inTheClear)
	var identifiers strings.Builder
	for _, p := range people {
		fmt.Fprintln(&identifiers, strings.Join([]string{p.userID, p.email, p.phone, "", p.name}, "\n"))
	}
	before := fmt.Sprint(os.ReadDir(s.data))
	e := efface(t, identifiers.String(), "scan", "--data", s.data)
	if e.code != 0 || e.stdout != "" || !strings.HasPrefix(e.stderr, "Nothing is found in ") {
		t.Errorf("a scan beside the server ended with %d: %s%s", e.code, e.stdout, e.stderr)
	}
	e = efface(t, identifiers.String()+inTheClear+"\n", "scan", "--data", s.data)
	if e.code != exitFailed || !regexp.MustCompile(`(?m)^\S+/efface\.db(-wal)?: byte \d+: line 151$`).MatchString(e.stdout) || strings.Contains(e.stdout, inTheClear) {
		t.Errorf("what is in the clear is told by %d: %s%s", e.code, e.stdout, e.stderr)
	}
	if after := fmt.Sprint(os.ReadDir(s.data)); after != before {
		t.Errorf("before a scan there is %s, and after it %s", before, after)
	}
	s.stop()
}

func TestAScanNamesFileAndPlaceAndNeverTheValue(t *testing.T) {
	t.Parallel()
	data := newStore(t)
	away := t.TempDir()
	const value = "Ann.Somebody@example.com"
	at := map[string]string{}
	plant := func(path string, before int, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Repeat("\x00", before)+text+"\x00"), 0o600); err != nil {
			t.Fatal(err)
		}
		at[path] = fmt.Sprintf("byte %d: line 3", before)
	}
	plant(filepath.Join(data, "log", "old.log"), 7, strings.ToUpper(value))
	plant(filepath.Join(data, "temp"), 3<<20-5, value)
	plant(filepath.Join(away, "keys", "keyring.db-wal"), 100, base64.StdEncoding.EncodeToString([]byte(value)))
	plant(filepath.Join(away, "linked", "copy"), 0, value)
	plant(filepath.Join(away, "backup.db"), 1, value)
	witness := filepath.Join(away, "witness")
	plant(filepath.Join(witness, "requests.jsonl"), 9, value)
	keyring := filepath.Join(away, "keys", "keyring.db")
	if err := os.WriteFile(keyring, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{filepath.Join(data, "elsewhere"): filepath.Join(away, "linked"), filepath.Join(away, "linked", "loop"): data} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	e := efface(t, "\nbob@example.com\n "+value+"\r\n", "scan", "--data", data, "--keyring", keyring, "--witness", witness, filepath.Join(away, "backup.db"))
	if e.code != exitFailed || strings.Count(e.stdout, "\n") != len(at) || strings.Contains(strings.ToLower(e.stdout+e.stderr), "somebody") {
		t.Errorf("the scan ended with %d: %s%s", e.code, e.stdout, e.stderr)
	}
	for path, place := range at {
		if !strings.Contains(e.stdout, path+": "+place) {
			t.Errorf("%s, %s, is not told of in %s", path, place, e.stdout)
		}
	}
}

// What can't be read may hold anything, so that a scan does not end well.
func TestAScanSaysWhatItCouldNotRead(t *testing.T) {
	t.Parallel()
	e := efface(t, "ann@example.com", "scan", "--data", newStore(t), "/proc/self/mem")
	if e.code != exitFailed || !strings.Contains(e.stderr, "/proc/self/mem can't be read") || !strings.Contains(e.stderr, "what could be read") {
		t.Errorf("the scan ended with %d: %s%s", e.code, e.stdout, e.stderr)
	}
}

func TestAScanThatIsMisused(t *testing.T) {
	t.Parallel()
	data := newStore(t)
	for stdin, says := range map[string]string{
		"":                                   "one a line",
		" \n\n":                              "one a line",
		"ann@example.com\nu-1\n":             "Leave line 2",
		"ann@\xff.example\n":                 "Line 1 of the identifiers is no UTF-8",
		strings.Repeat("x", maxIdentifier+1): "Line 1 of the identifiers is too long",
	} {
		efface(t, stdin, "scan", "--data", data).misused(t, says)
	}
	efface(t, "ann@example.com", "scan", "--data", t.TempDir()).misused(t, "There is no store in")
	efface(t, "ann@example.com", "scan", "--data", data, filepath.Join(data, "none")).misused(t, "There is nothing at")
}

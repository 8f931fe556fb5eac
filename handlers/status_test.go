package handlers

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
)

// A witness that does not fit is told of on every page with what to do, and on
// the public /readyz without naming a file.
func TestPagesTellOfAWitnessThatDoesNotFit(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Auditor)
	log := filepath.Join(st.db.Options().Witness, "log.jsonl")
	good, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(log, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_ = st.db.CompareWitness(t.Context())
	}
	write("X" + string(good[1:]))
	for _, path := range []string{"/logs", "/account"} {
		if text := words(b.get(path).want(http.StatusOK).find("main .alert-danger")); !strings.Contains(text, "Line 1 of "+log) || !strings.Contains(text, "efface witness rebuild") {
			t.Errorf("%s says %q", path, text)
		}
	}
	if a := st.browser().get("/readyz").want(http.StatusOK); !strings.Contains(a.body, "do not fit") || strings.Contains(a.body, st.dir) {
		t.Errorf("/readyz says %q", a.body)
	}
	write(string(good))
	if b.get("/logs").want(http.StatusOK).find(".alert-danger").Length() != 0 || strings.Contains(st.browser().get("/readyz").body, "fit") {
		t.Error("a witness that fits again did not end the alarm")
	}
}

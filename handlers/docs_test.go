package handlers

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
)

// Whoever may see a receipt gets what checks it, from the pages that speak of it.
func TestEverybodyGetsTheVerifierAndTheFormatOfEvidence(t *testing.T) {
	st := newSite(t)
	for path, want := range map[string]struct{ file, kind, disposition string }{
		"/verify.py":   {"../docs/verify.py", "text/x-python; charset=utf-8", `attachment; filename="verify.py"`},
		"/evidence.md": {"../docs/evidence.md", "text/plain; charset=utf-8", ""},
	} {
		file, err := os.ReadFile(want.file)
		if err != nil {
			t.Fatal(err)
		}
		for _, role := range erasure.Roles {
			b := st.signedIn(role)
			a := b.get(path).want(http.StatusOK)
			if a.body != string(file) || a.header.Get("Content-Type") != want.kind || a.header.Get("Content-Disposition") != want.disposition {
				t.Errorf("%s as %s: %v", path, role, a.header)
			}
		}
	}
	r := st.requested(st.person("email", "ann@example.com"))
	st.erase()
	pages := []string{"/logs", "/logs/entries/0", requestPath(r.ID) + "/receipt"}
	b := st.signedIn(erasure.Auditor)
	for _, page := range pages {
		a := b.get(page).want(http.StatusOK)
		for _, path := range []string{"/verify.py", "/evidence.md"} {
			if !strings.Contains(a.body, `href="`+path+`"`) {
				t.Errorf("%s does not lead to %s", page, path)
			}
		}
	}
}

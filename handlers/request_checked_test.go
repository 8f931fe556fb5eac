package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func TestACompletedRequestShowsThatItIsCheckedAndWhenItsTracesAreCleared(t *testing.T) {
	st := newSite(t)
	r := st.requested(st.person("email", "ann@example.com"))
	st.erase()
	b := st.signedIn(erasure.Auditor)
	standing := func() string { return words(b.get(requestPath(r.ID)).want(http.StatusOK).find("#standing")) }
	if text := standing(); !strings.Contains(text, "Erased and checked, traces being cleared") {
		t.Errorf("once completed the page says %q", text)
	}
	st.clock.Advance(1)
	if s, err := st.db.Scrub(t.Context()); err != nil || s.Busy {
		t.Fatalf("the scrub: %+v, %v", s, err)
	}
	if text := standing(); !strings.Contains(text, "Completed") || !strings.Contains(text, "traces being cleared") {
		t.Errorf("after a scrub in the same millisecond the page says %q", text)
	}
	st.clock.Advance(1e6)
	if s, err := st.db.Scrub(t.Context()); err != nil || s.Busy {
		t.Fatalf("the scrub: %+v, %v", s, err)
	}
	if text := standing(); !strings.Contains(text, "Erased and checked") || strings.Contains(text, "traces being cleared") {
		t.Errorf("after the scrub the page says %q", text)
	}
}

// I7: what a check found is told of on every page, until nothing is found.
func TestPagesTellOfAnErasureThatLeftSomething(t *testing.T) {
	st := newSite(t)
	r := st.requested(st.person("email", "ann@example.com"))
	st.claim()
	if _, _, err := st.db.DestroyKeys(t.Context(), 500); err != nil {
		t.Fatal(err)
	}
	// Nothing finds the fragment's rows any more but the check.
	if _, err := storetest.Raw(t, st.dir).Exec(`DELETE FROM fragments`); err != nil {
		t.Fatal(err)
	}
	deleteRows := func(completed int) {
		t.Helper()
		if n, _, err := st.db.DeleteRows(t.Context(), 4000); err != nil || n != completed {
			t.Fatalf("%d completed, %v", n, err)
		}
	}
	deleteRows(0)
	b := st.signedIn(erasure.Auditor)
	for _, path := range []string{"/logs", "/activity", "/account", requestPath(r.ID)} {
		if text := words(b.get(path).want(http.StatusOK).find("main .alert-danger")); !strings.Contains(text, "found something that should be gone") {
			t.Errorf("%s says %q", path, text)
		}
	}
	if text := words(b.get(requestPath(r.ID)).find("main")); !strings.Contains(text, "Failed") || !strings.Contains(text, "rows in the table identifiers") {
		t.Errorf("the request's page says %q", text)
	}
	if a := st.browser().get("/readyz").want(http.StatusOK); !strings.Contains(a.body, "should be gone: 1 requests") {
		t.Errorf("/readyz says %q", a.body)
	}
	st.clock.Advance(2e9)
	deleteRows(1)
	if b.get("/logs").want(http.StatusOK).find(".alert-danger").Length() != 0 {
		t.Error("the banner stays once nothing is found")
	}
}

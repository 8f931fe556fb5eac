package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// What a restore does not know of a request is guessed nowhere: not on its page,
// in lists, by the API or in a receipt.
func TestARequestThatTheLogAloneTellsOfIsShownAsThat(t *testing.T) {
	st := newSite(t)
	r := st.requested(st.person("email", "ann@example.com"))
	st.erase()
	if _, err := storetest.Raw(t, st.dir).Exec(`UPDATE requests SET from_log = 1, efface_id = NULL, cancel_before = 0, program = ''`); err != nil {
		t.Fatal(err)
	}
	b, path := st.signedIn(erasure.Auditor), requestPath(r.ID)
	a := b.get(path)
	a.says(http.StatusOK, "Known from the deletion log alone")
	if n := strings.Count(a.body, "Not known since the restore"); n != 3 || a.find("#receipt a").Length() != 0 {
		t.Errorf("%d facts are not known, or a receipt is offered", n)
	}
	for _, guess := range []string{"Nobody", "nobody", "Person (user)", "May be collected again", "A receipt can be"} {
		if strings.Contains(a.body, guess) {
			t.Errorf("the page says %q", guess)
		}
	}
	if list := b.get("/logs"); !strings.Contains(list.body, "Not known since the restore") || strings.Contains(list.body, "Nobody found") {
		t.Error("the Deletion Logs say that nobody was found")
	}
	if row := b.get("/logs.csv").want(http.StatusOK).body; !strings.Contains(row, r.ID.String()+",,,completed,") {
		t.Errorf("the CSV has %s", row)
	}
	const refused = "the deletion log alone tells of it"
	for _, receipt := range []string{path + "/receipt", path + "/receipt.json"} {
		b.get(receipt).says(http.StatusNotFound, refused)
	}
	s := st.script(erasure.ScopeDeletionsRead)
	if got := s.call("GET", "/api/v1/deletions/"+r.ID.String()+"/receipt", ""); got.status != http.StatusNotFound || !strings.Contains(got.body, refused) {
		t.Errorf("the API answers %d: %s", got.status, got.body)
	}
	got := s.call("GET", "/api/v1/deletions/"+r.ID.String(), "").body
	for _, member := range []string{`"efface_id":null`, `"table":null`, `"suppress":null`, `"cancel_before":null`, `"from_log":true`} {
		if !strings.Contains(got, member) {
			t.Errorf("the API lacks %s: %s", member, got)
		}
	}
}

package main

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"github.com/efface/efface/store/storetest"
)

// What was erased with suppression does not come back by any form of a file,
// and the summary and the request say so.
func TestAnImportBringsNobodyBackWhoIsSuppressed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.serve("1s")
	ann, bob := newSomebody(), newSomebody()
	s.command(ann.calls()+bob.calls(), "import", "--source", "shop", "-")
	id, _ := s.requestOnce(map[string]any{"key": "user_id", "value": ann.userID, "suppress": true})
	storetest.Eventually(t, "the erasure is completed", func() bool { return s.count(openRequests) == 0 })

	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(ann.calls() + bob.calls())); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, source, want string }{
		{csvColumns + ann.csv() + bob.csv(), "crm", "1 added, 0 seen before, 1 suppressed, 0 refused"},
		{ann.calls() + bob.calls(), "shop", "0 added, 2 seen before, 2 suppressed, 0 refused"},
		{packed.String(), "app", "2 added, 0 seen before, 2 suppressed, 0 refused"},
	} {
		if e := s.command(c.file, "import", "--source", c.source, "-"); !strings.HasPrefix(e.summary(), c.want) {
			t.Errorf("the import of %s says %q, not %q", c.source, e.summary(), c.want)
		}
	}
	beside := `{"type":"identify","userId":"` + ann.userID + `-new","traits":{"email":"` + ann.email + `"}}`
	if e := s.command(beside, "import", "--source", "app", "-"); !strings.HasPrefix(e.summary(), "1 added") || !strings.HasSuffix(e.summary(), "\nAdded without identifiers that are suppressed: 1.\n") {
		t.Errorf("of a line that is kept without its e-mail address the import says %q", e.summary())
	}
	for key, value := range map[string]string{"user_id": ann.userID, "email": ann.email, "phone": ann.phone, "anonymous_id": ann.anonymous} {
		found := decode[struct{ Profiles []any }](t, want(t, http.StatusOK, "a find")(
			s.api("POST", "/api/v1/profiles/find", map[string]any{"key": key, "value": value})))
		if len(found.Profiles) != 0 {
			t.Errorf("%s leads to %d profiles", key, len(found.Profiles))
		}
	}
	if n := s.count(`SELECT MIN(dropped) FROM returns`); n != 5 {
		t.Errorf("%d of 5 rows and calls are counted for %s", n, id)
	}
}

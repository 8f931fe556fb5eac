package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
)

// The CSV names the checkpoint that covers it, and that one stays to be had
// when the log has grown.
func TestTheCSVNamesItsCheckpoint(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Auditor)
	st.requested(st.person("email", "ann@example.com"))
	link := b.get("/logs.csv").want(http.StatusOK).header.Get("Link")
	path, ok := strings.CutSuffix(strings.TrimPrefix(link, "<"), `>; rel="describedby"`)
	if !ok {
		t.Fatalf("the link is %q", link)
	}
	covers := b.get(path).want(http.StatusOK).body
	v, err := evidence.ParseVerifier(st.db.LogKey())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := evidence.OpenCheckpoint(covers, v); err != nil || c.Size < 2 {
		t.Errorf("the checkpoint covers %d entries: %v", c.Size, err)
	}
	b.get("/logs.csv").want(http.StatusOK)
	if again := b.get(path).body; again != covers {
		t.Errorf("the checkpoint changed:\n%s%s", covers, again)
	}
	if newest := b.get("/logs/checkpoint").want(http.StatusOK).body; newest == covers {
		t.Error("the newest checkpoint is an old one")
	}
	b.get("/logs/checkpoint?size=999999").says(http.StatusNotFound, "No checkpoint of the log was signed at this size.")
	b.get("/logs/checkpoint?size=no").says(http.StatusUnprocessableEntity, "The size of a checkpoint")
}

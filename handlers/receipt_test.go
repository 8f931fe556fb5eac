package handlers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
)

func TestACancelledRequestIsPromisedNoReceipt(t *testing.T) {
	st := newSite(t)
	r := st.requested(st.person("email", "ann@example.com"))
	if _, err := st.db.Cancel(t.Context(), r.ID, erasure.System, erasure.API); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/receipt", "/receipt.json"} {
		st.signedIn(erasure.Auditor).get(requestPath(r.ID)+path).says(http.StatusConflict, "This request was cancelled")
	}
}

// A receipt is to be had once there is something to prove, by everybody who
// signs in and by scripts, in the same bytes.
func TestAReceiptIsThereOnceAnErasureIsCompleted(t *testing.T) {
	st := newSite(t)
	r := st.requested(st.person("email", "ann@example.com"))
	b, path := st.signedIn(erasure.Auditor), requestPath(r.ID)
	s := st.script(erasure.ScopeDeletionsRead)
	for _, early := range []string{path + "/receipt", path + "/receipt.json"} {
		b.get(early).says(http.StatusConflict, "There is a receipt once the erasure is completed.")
	}
	const promised = "A receipt can be downloaded once the erasure is completed."
	if a := b.get(path); a.find("#receipt a").Length() != 0 || !strings.Contains(a.body, promised) {
		t.Error("a receipt is offered before there is one, or not promised")
	}
	if got := s.call("GET", "/api/v1/deletions/"+r.ID.String()+"/receipt", ""); got.status != http.StatusConflict {
		t.Errorf("the API answers %d before the erasure", got.status)
	}
	st.erase()
	b = st.signedIn(erasure.Auditor) // the session ended meanwhile
	if a := b.get(path); a.find("#receipt a").Length() != 1 || strings.Contains(a.body, promised) {
		t.Error("no receipt is offered, or one is still promised")
	}
	b.get(path+"/receipt").says(http.StatusOK, "is erased: it was destroyed here")
	v, err := evidence.ParseVerifier(st.db.LogKey())
	if err != nil {
		t.Fatal(err)
	}
	file := b.get(path + "/receipt.json").want(http.StatusOK).body
	if receipt, err := evidence.VerifyReceipt([]byte(file), v); err != nil || receipt.Request.ID != r.ID.String() {
		t.Errorf("the receipt downloaded: %v", err)
	}
	if api := s.call("GET", "/api/v1/deletions/"+r.ID.String()+"/receipt", "").body; api != file {
		t.Errorf("the API gives another receipt:\n%s%s", api, file)
	}
}

// An auditor takes the whole log away, and that is logged in it.
func TestTheWholeLogIsExported(t *testing.T) {
	st := newSite(t)
	st.requested(st.person("email", "ann@example.com"))
	st.erase()
	v, err := evidence.ParseVerifier(st.db.LogKey())
	if err != nil {
		t.Fatal(err)
	}
	st.signedIn(erasure.Staff).get("/logs/export").says(http.StatusForbidden, "")
	file := st.signedIn(erasure.Auditor).get("/logs/export").want(http.StatusOK).body
	s, err := evidence.VerifyLog(strings.NewReader(file), v)
	if n := int64(st.entries(erasure.LogsExported)); err != nil || s.Size < 5 || n != 1 {
		t.Errorf("the log has %d entries, %d exports: %v", s.Size, n, err)
	}
}

package handlers

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// stands fails the test unless the page Status says so of something.
func (b *browser) stands(what, want string) reply {
	b.t.Helper()
	a := b.get("/status").want(http.StatusOK)
	var said []string
	a.find("main tbody tr").Each(func(_ int, row *goquery.Selection) {
		if cells := row.Find("td"); cells.First().Text() == what {
			said = append(said, strings.TrimSpace(words(cells.Eq(1))))
		}
	})
	if len(said) != 1 || !strings.HasPrefix(said[0], want) {
		b.t.Errorf("of %s the page says %q, not %q", what, said, want)
	}
	return a
}

func TestStatusTellsEverybodyHowTheServerStands(t *testing.T) {
	st := newSite(t)
	if _, err := st.db.Sweep(t.Context(), store.SweepOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, role := range erasure.Roles {
		b := st.signedIn(role)
		b.stands("Database", "In order")
		b.stands("Keyring", "In order")
		b.stands("Erasures", "In order 0 due now, 0 in progress, 0 failed")
		b.stands("Witness", "In order Has what the store has")
		b.stands("Place of the witness", "To know On the disk of the data")
		b.stands("Daily sweep", "In order")
		b.stands("Backup", "To know None was made")
		b.stands("Disk of the data", "In order")
		a := b.stands("Traces of deleted rows", "To know Not cleared yet")
		if text := strings.TrimSpace(words(a.find("#summary"))); !strings.HasPrefix(text, "Nothing is wrong; ") || !strings.HasSuffix(text, " things to know.") {
			t.Errorf("at the top stands %q", text)
		}
	}
	if _, err := st.db.Backup(t.Context(), erasure.Terminal, filepath.Join(t.TempDir(), "backup"), ""); err != nil {
		t.Fatal(err)
	}
	b := st.signedIn(erasure.Staff)
	b.stands("Backup", "In order")
	b.stands("Signed log", "In order The newest checkpoint signs")
}

// Whoever was signed in for a while sees what is wrong, though nothing can be
// written.
func TestStatusIsShownWhileNothingCanBeWritten(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	st.clock.Advance(2 * time.Minute)
	log := filepath.Join(st.db.Options().Witness, "log.jsonl")
	if err := os.Rename(log, log+".away"); err != nil {
		t.Fatal(err)
	}
	_ = st.db.LogExport(t.Context(), erasure.Terminal) // is not acknowledged
	a := b.stands("Witness", "Wrong Can't be written to")
	if text := strings.TrimSpace(words(a.find("#summary"))); text != "One thing needs somebody: Witness." {
		t.Errorf("at the top stands %q", text)
	}
	if !strings.Contains(st.log.String(), "route=/status status=200") || !strings.Contains(st.log.String(), "writing to the witness") {
		t.Errorf("the log says %s", st.log)
	}
	if err := os.Rename(log+".away", log); err != nil {
		t.Fatal(err)
	}
	b.stands("Witness", "To know Fitted at the start")
}

func TestStatusAsksForTheDiskOfAWitnessThatIsNotThere(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	st.clock.Advance(2 * time.Minute)
	dir := st.db.Options().Witness
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	_ = st.db.LogExport(t.Context(), erasure.Terminal) // is not acknowledged
	a := b.stands("Witness", "Wrong Is not there")
	if text := words(a.find("main")); !strings.Contains(text, dir+" does not exist: is its disk mounted?") || strings.Contains(text, "Place of the witness") {
		t.Errorf("the page says %q", text)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	b.stands("Witness", "To know Fitted at the start")
}

// A test person who was not erased as promised is told of on every page, and on
// the public /readyz without naming a file.
func TestPagesTellOfATestPersonWhoWasNotErased(t *testing.T) {
	st := newSite(t, func(c *Config) { c.TestPersons = true })
	b := st.signedIn(erasure.Auditor)
	note := func(why string) {
		t.Helper()
		if err := st.db.NoteTestPerson(t.Context(), why); err != nil {
			t.Fatal(err)
		}
	}
	b.stands("Test person", "To know None yet")
	if _, err := st.db.PlantTestPerson(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.stands("Test person", "To know Made up on 20")
	storetest.EraseAll(t, st.db)
	st.clock.Advance(time.Second)
	note("")
	b.stands("Test person", "In order Made up on 20")
	note("They are shown in /data/file.")
	b.stands("Test person", "Wrong Not erased as promised: They are shown in /data/file. Keep a copy")
	for _, path := range []string{"/logs", "/activity", "/account"} {
		if text := words(b.get(path).want(http.StatusOK).find("main .alert-danger")); !strings.Contains(text, "They are shown in /data/file. Tell who runs Efface.") {
			t.Errorf("%s says %q", path, text)
		}
	}
	if a := st.browser().get("/readyz").want(http.StatusOK); !strings.Contains(a.body, "was not erased as promised") || strings.Contains(a.body, "/data") {
		t.Errorf("/readyz says %q", a.body)
	}
	note("")
	if b.get("/logs").want(http.StatusOK).find(".alert-danger").Length() != 0 {
		t.Error("a test that passed did not end the alarm")
	}
}

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
	b.stands("Witness", "Wrong Does not fit the store Line 1 of "+log)
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

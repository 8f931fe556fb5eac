package handlers

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// csvRows reads an export whole, without its header.
func (a reply) csvRows() [][]string {
	a.t.Helper()
	if !strings.HasPrefix(a.want(http.StatusOK).header.Get("Content-Type"), "text/csv") {
		a.t.Errorf("the type is %q", a.header.Get("Content-Type"))
	}
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil {
		a.t.Fatal(err)
	}
	if !slices.Equal(rows[0], csvColumns) {
		a.t.Errorf("the header is %v", rows[0])
	}
	return rows[1:]
}

func TestTheExportHoldsWhatTheLogHolds(t *testing.T) {
	st := newSite(t)
	ann, err := st.db.CreateOperator(t.Context(), erasure.System, store.NewOperator{Email: "=1+1@example.com", Role: erasure.Staff})
	if err != nil {
		t.Fatal(err)
	}
	p := st.person("email", "ann@example.com", "user_id", "u1")
	b := st.browserOf(ann)
	b.post(deletionPath(p), st.confirmed(p)).want(http.StatusSeeOther)
	st.claim()
	if _, err := st.db.NoteFailure(t.Context(), store.Destroying, "=HYPERLINK(\"x\"), retried"); err != nil {
		t.Fatal(err)
	}
	st.clock.Advance(time.Second)
	other := st.waiting("u2")

	a := st.signedIn(erasure.Auditor).get("/logs.csv")
	rows := a.csvRows()
	r, err := st.db.Request(t.Context(), st.requests()[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0][0] != other.ID.String() || rows[0][2] != "" || rows[0][8] != "" {
		t.Fatalf("the rows are %v", rows)
	}
	want := []string{r.ID.String(), "user", p.EffaceID.String(), "in_progress", "console", "'=1+1@example.com", "2026-03-01T09:00:00Z",
		"2026-03-02T09:00:00Z", "2026-03-02T09:00:00Z", "", "2", "0", "1", "'=HYPERLINK(\"x\"), retried", ""}
	if !slices.Equal(rows[1], want) {
		t.Errorf("the row is\n%q, want\n%q", rows[1], want)
	}
	if strings.Count(a.body, "\r\n") != 3 || strings.Count(a.body, "\n") != 3 || !strings.HasSuffix(a.body, "\r\n") {
		t.Errorf("lines do not end as RFC 4180 has it: %q", a.body)
	}
	if !strings.Contains(a.header.Get("Content-Disposition"), "attachment") || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the headers are %v", a.header)
	}
	if n := st.entries(erasure.LogsExported); n != 1 {
		t.Errorf("%d exports are logged", n)
	}
}

func TestTheExportHasTheLogsFilters(t *testing.T) {
	st := newSite(t)
	st.requested(st.person("user_id", "u1"))
	two := st.waiting("u2")
	b := st.signedIn(erasure.Staff)
	rows := b.get("/logs.csv?origin=customerlabs&state=pending&to=2026-03-01").csvRows()
	if len(rows) != 1 || rows[0][0] != two.ID.String() {
		t.Errorf("the rows are %v", rows)
	}
	if rows := b.get("/logs.csv?from=2026-03-02").csvRows(); len(rows) != 0 {
		t.Errorf("the rows are %v", rows)
	}
	if link, _ := b.get("/logs?origin=customerlabs").find("a[download]").Attr("href"); link != "/logs.csv?origin=customerlabs" {
		t.Errorf("the page leads to %q", link)
	}
}

// askMany makes requests in few commits.
func (st *site) askMany(n int) {
	var all sync.WaitGroup
	failed := make(chan error, n)
	for i := range n {
		all.Go(func() {
			_, _, err := st.db.RequestErasure(st.t.Context(), erasure.NewRequest{
				Asked: storetest.Identifiers("user_id", fmt.Sprint("many", i))[0], Unknown: true, Origin: erasure.CustomerLabs, Actor: erasure.System})
			failed <- err
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			st.t.Fatal(err)
		}
	}
}

// A server whose limits are over at once shows that an export moves them, and
// more rows than one read gives that it reads on.
func TestALongExportOutlivesTheServersLimits(t *testing.T) {
	st := newSite(t)
	st.askMany(2*rowsPerRead + 1)
	b := st.signedIn(erasure.Staff)
	hurried := httptest.NewUnstartedServer(st.server.Handler())
	hurried.Config.WriteTimeout = time.Nanosecond
	hurried.Start()
	defer hurried.Close()
	if res, err := b.client.Get(hurried.URL + "/logs"); err == nil {
		res.Body.Close()
		t.Fatal("the server has no limit to outlive")
	}
	res, err := b.client.Get(hurried.URL + "/logs.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	rows, err := csv.NewReader(res.Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, row := range rows[1:] {
		ids[row[0]] = true
	}
	if len(rows) != 2*rowsPerRead+2 || len(ids) != 2*rowsPerRead+1 {
		t.Errorf("%d rows of %d requests", len(rows), len(ids))
	}
}

func TestAnExportThatBreaksOffIsNoWholeOne(t *testing.T) {
	st := newSite(t)
	st.server.add(route{"GET", "/half", signedIn, noBody, false, func(w http.ResponseWriter, r *http.Request) error {
		_, _ = io.WriteString(w, "half")
		return breakOff(r, errors.New("the inside"))
	}})
	b := st.signedIn(erasure.Staff)
	res, err := b.client.Get(st.url + "/half")
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("the client takes a half for the whole")
	}
	if !strings.Contains(st.log.String(), `error="the inside"`) {
		t.Errorf("the log says %s", st.log)
	}
}

func FuzzHarmlessCells(f *testing.F) {
	for _, cell := range []string{"", "=1+1", "+49", "-1", "@x", "\tx", "\r=x", "'=x", "a\r\nb", `"`, "ä", "T-1"} {
		f.Add(cell)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		made := harmless(cell)
		if made != cell && made != "'"+cell {
			t.Fatalf("%q became %q", cell, made)
		}
		var b strings.Builder
		out := newCSV(&b)
		if err := errors.Join(out.Write([]string{"before", made, "after"}), out.Write([]string{"next", "", ""})); err != nil {
			t.Fatal(err)
		}
		out.Flush()
		rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
		if err != nil || len(rows) != 2 || len(rows[0]) != 3 || rows[0][2] != "after" {
			t.Fatalf("%q reads as %q, %v", b.String(), rows, err)
		}
		if read := rows[0][1]; read != "" && strings.ContainsRune("=+-@\t\r", rune(read[0])) {
			t.Errorf("%q begins a formula", read)
		}
	})
}

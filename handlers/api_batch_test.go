package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

const batchPath = "/api/v1/deletions/batch"

// array writes lines as one JSON array, and ndjson each on a line.
func array(lines ...string) string  { return "[" + strings.Join(lines, ",") + "]" }
func ndjson(lines ...string) string { return strings.Join(lines, "\n") }

func byEmail(name string) string {
	return fmt.Sprintf(`{"key":"email","value":"%s@example.com"}`, name)
}

// batchAnswer is what a list is answered with, in either form.
type batchAnswer struct {
	Batch   batch
	Results []batchResult
}

// answered reads the answer to a list, which has the form of the list.
func (a reply) answered() (b batchAnswer) {
	a.t.Helper()
	a.want(http.StatusAccepted)
	text := a.body
	if a.header.Get("Content-Type") == "application/x-ndjson" {
		lines := strings.Split(strings.TrimSuffix(a.body, "\n"), "\n")
		last := len(lines) - 1
		text = strings.TrimSuffix(lines[last], "}") + `,"results":` + array(lines[:last]...) + "}"
	}
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		a.t.Errorf("%v\n%s", err, a.body)
	}
	if a.location() != "/api/v1/batches/"+b.Batch.ID {
		a.t.Errorf("it leads to %q", a.location())
	}
	return b
}

// wants lists the statuses of the lines, each with its number.
func (a reply) wants(want string) batchAnswer {
	a.t.Helper()
	b := a.answered()
	var got []string
	for _, r := range b.Results {
		got = append(got, fmt.Sprint(r.Line, " ", r.Status))
		if (r.DeletionID == nil) != (r.Detail != nil) {
			a.t.Errorf("line %d has the deletion %v and the detail %v", r.Line, r.DeletionID, r.Detail)
		}
	}
	if got := strings.Join(got, ", "); got != want {
		a.t.Errorf("the lines are\n%s, want\n%s", got, want)
	}
	return b
}

// counts reads a batch.
func (s script) counts(id string) string {
	s.t.Helper()
	return s.call("GET", "/api/v1/batches/"+id, "").want(http.StatusOK).body
}

func TestAListIsAnsweredLineByLine(t *testing.T) {
	st := newSite(t)
	d := openDocument(t, st)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com", "user_id", "a-1")
	storetest.Identify(t, st.db, "crm", "email", "bob@example.com")
	storetest.Identify(t, st.db, "crm", "user_id", "1", "email", "both@example.com")
	storetest.Identify(t, st.db, "crm", "user_id", "2", "email", "both@example.com")
	s := st.script(everyScope...)
	before := s.call("POST", "/api/v1/deletions", byEmail("bob")).tree()["id"]
	a := s.call("POST", batchPath, array(
		`{"key":"email","value":"ann@example.com","reason":"letter","reference":"T-1","suppress":true}`,
		byEmail("bob"), `{"key":"user_id","value":"a-1"}`, byEmail("nobody"), byEmail("both"), `{"key":"e-mail","value":"x"}`,
	))
	b := a.wants("1 queued, 2 already_requested, 3 already_requested, 4 not_found, 5 shared, 6 invalid")
	d.documented(a, "POST", batchPath)
	if *b.Results[1].DeletionID != before || *b.Results[2].DeletionID != *b.Results[0].DeletionID || b.Results[4].Matches != 2 {
		t.Errorf("the results are %s", a.body)
	}
	if want := (batch{ID: b.Batch.ID, Requested: 6, Matched: 4, Queued: 1}); b.Batch != want {
		t.Errorf("the batch counts %+v, want %+v", b.Batch, want)
	}
	made := s.call("GET", "/api/v1/deletions/"+*b.Results[0].DeletionID, "").tree()
	if made["batch_id"] != b.Batch.ID || made["reference"] != "T-1" || made["suppress"] != true || made["origin"] != "api" {
		t.Errorf("the deletion is %v", made)
	}
	if strings.Count(a.body, `"matches"`) != 1 || !strings.HasPrefix(a.body, `{"batch":{"id":"`+b.Batch.ID+`","requested":6,"matched":4,"queued":1,"completed":0,"failed":0,"cancelled":0},"results":[{"line":1,"status":"queued","deletion_id":"er_`) {
		t.Errorf("it is %s", a.body)
	}
	st.clock.Advance(24 * time.Hour)
	storetest.EraseAll(t, st.db)
	if got := s.counts(b.Batch.ID); !strings.Contains(got, `"queued":1,"completed":1,"failed":0,"cancelled":0}`) {
		t.Errorf("when it is erased the batch is %s", got)
	}
}

func TestNDJSONIsAnsweredAsNDJSONByItsPhysicalLines(t *testing.T) {
	st := newSite(t)
	d := openDocument(t, st)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(everyScope...)
	body := "\n \t\r\n" + byEmail("ann") + "\r\n\n" + ` { "value":"nobody", "key":"user_id" } ` + "\n\n\n" + `{"key":"email"}`
	for range 2 {
		a := s.call("POST", batchPath, body, "Content-Type", "application/json")
		first := "queued"
		if strings.Contains(a.body, "already") {
			first = "already_requested"
		}
		b := a.wants("3 " + first + ", 5 not_found, 8 invalid")
		if a.header.Get("Content-Type") != "application/x-ndjson" || b.Batch.Requested != 3 || !strings.HasSuffix(a.body, "}}\n") {
			t.Errorf("it is %s %s", a.header.Get("Content-Type"), a.body)
		}
		schema := d.at(d["paths"], batchPath, "post", "responses", "202", "content", "application/x-ndjson", "schema")
		for line := range strings.Lines(a.body) {
			var v any
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if wrong := d.misfit(v, schema, ""); wrong != "" {
				t.Errorf("%s: %s", wrong, line)
			}
		}
		body += "\n"
	}
}

// refusedLines are what a single call is refused for by its content.
var refusedLines = []string{
	`{}`, `{"key":"email"}`, `{"value":"x"}`, `{"key":"","value":"x"}`, `{"key":"email","value":""}`, `{"key":"email","value":" "}`,
	`{"key":"Email","value":"x"}`, `{"key":"e-mail","value":"x"}`, `{"key":"user_id","value":"x","table":"group"}`, `{"key":"email","value":"x","table":"people"}`,
	`{"key":"phone","value":"1","region":"XX"}`, `{"key":"efface_id","value":"ann"}`, `{"key":"email","value":"` + strings.Repeat("a", 1025) + `"}`,
	`{"key":"email","value":"ann@example.com","reference":"ann@example.com"}`, `{"key":"email","value":"ann@example.com","reference":"` + strings.Repeat("a", 65) + `"}`,
	`{"key":"email","value":"ann@example.com","reason":"` + strings.Repeat("\\u00e4", 1001) + `"}`,
}

func TestALineIsRefusedInTheWordsOfASingleCall(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(everyScope...)
	b := s.call("POST", batchPath, array(append(refusedLines, byEmail("ann"))...)).answered()
	for i, line := range refusedLines {
		alone := s.call("POST", "/api/v1/deletions", line).problem(http.StatusBadRequest).tree()
		if got := b.Results[i]; got.Status != erasure.Refused || got.Detail == nil || *got.Detail != alone["detail"] {
			t.Errorf("%.80s is %s, and alone %v", line, got.Status, alone["detail"])
		}
	}
	if last := b.Results[len(refusedLines)]; last.Status != erasure.Queued {
		t.Errorf("the line after them is %s", last.Status)
	}
	if b.Batch.Requested != len(refusedLines)+1 || b.Batch.Matched != 1 {
		t.Errorf("the batch counts %+v", b.Batch)
	}
}

func TestAListMayBeGzip(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(everyScope...)
	s.call("POST", batchPath, packed(t, array(byEmail("ann")))).wants("1 queued")
	s.call("POST", batchPath, packed(t, ndjson(byEmail("ann"), byEmail("bob"))), "Content-Encoding", "gzip").wants("1 already_requested, 2 not_found")
}

func TestAMarkedListIsQueuedOnce(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	storetest.Identify(t, st.db, "crm", "email", "bob@example.com")
	s := st.script(everyScope...)
	mark := []string{"Idempotency-Key", "list-1"}
	s.call("POST", batchPath, `[{"key":"email"`, mark...).problem(http.StatusBadRequest) // and is forgotten
	first := s.call("POST", batchPath, array(byEmail("ann"), byEmail("bob")), mark...)
	b := first.wants("1 queued, 2 queued")
	if again := s.call("POST", batchPath, array(byEmail("ann"), byEmail("bob")), mark...); again.body != first.body {
		t.Errorf("sent again it is\n%s, before\n%s", again.body, first.body)
	}
	s.call("POST", "/api/v1/deletions/"+*b.Results[1].DeletionID+"/cancel", "").want(http.StatusOK)
	again := s.call("POST", batchPath, ` [ {"value":"ann\u0040example.com","key":"email"}, `+byEmail("bob")+` ] `, mark...).wants("1 queued, 2 queued")
	if again.Batch.ID != b.Batch.ID || again.Batch.Cancelled != 1 {
		t.Errorf("sent again after a cancel the batch is %+v", again.Batch)
	}
	if lines := s.call("POST", batchPath, ndjson(byEmail("ann"), byEmail("bob")), mark...).answered(); lines.Batch != again.Batch {
		t.Errorf("the same lines as NDJSON are %+v", lines.Batch)
	}
	for _, other := range []string{array(byEmail("ann")), array(byEmail("bob"), byEmail("ann")), ndjson(byEmail("ann"), "", byEmail("bob"))} {
		s.call("POST", batchPath, other, mark...).problem(http.StatusUnprocessableEntity)
	}
	s.call("POST", "/api/v1/deletions", byEmail("ann"), mark...).problem(http.StatusUnprocessableEntity)
	s.call("POST", batchPath, array(byEmail("ann")), "Idempotency-Key", "").problem(http.StatusBadRequest)
	if rows := storetest.Dump(t, storetest.Raw(t, st.dir), "batches"); len(rows) != 1 {
		t.Errorf("there are the batches\n%s", strings.Join(rows, "\n"))
	}
	if rows := storetest.Dump(t, storetest.Raw(t, st.dir), "spooled"); len(rows) != 0 {
		t.Errorf("%d rows of lines are left", len(rows))
	}
}

func TestABatchIsReadAndCancelledByWhateverDoorItCame(t *testing.T) {
	st := newSite(t)
	d := openDocument(t, st)
	for _, name := range []string{"ann", "bob", "cat"} {
		storetest.Identify(t, st.db, "crm", "email", name+"@example.com", "user_id", name)
	}
	s, other := st.script(append(everyScope, erasure.ScopeLytics)...), st.script(everyScope...)
	own := s.call("POST", batchPath, array(byEmail("ann"), byEmail("bob"))).answered().Batch.ID
	lytics := s.call("POST", "/v2/identity/delete", `{"table":"user","field":"email","values":["cat@example.com"]}`).want(http.StatusAccepted).tree()["data"].(map[string]any)["request_id"].(string)
	for id, n := range map[string]int{own: 2, lytics: 1} {
		read := other.call("GET", "/api/v1/batches/"+id+"/", "").want(http.StatusOK)
		if want := fmt.Sprintf(`{"id":%q,"requested":%d,"matched":%[2]d,"queued":%[2]d,"completed":0,"failed":0,"cancelled":0}`+"\n", id, n); read.body != want {
			t.Errorf("it reads %s, want %s", read.body, want)
		}
		d.documented(read, "GET", "/api/v1/batches/{id}")
		path, mark := "/api/v1/batches/"+id+"/cancel", []string{"Idempotency-Key", "cancel " + id}
		other.call("POST", path, `{"x":1}`).problem(http.StatusBadRequest)
		cancelled := other.call("POST", path, "", mark...).want(http.StatusOK)
		if cancelled.tree()["cancelled"] != float64(n) {
			t.Errorf("cancelled it is %s", cancelled.body)
		}
		d.documented(cancelled, "POST", "/api/v1/batches/{id}/cancel")
		if again := other.call("POST", path, "{}", mark...).want(http.StatusOK); again.body != cancelled.body {
			t.Errorf("sent again it is %s", again.body)
		}
		d.documented(other.call("POST", path, "").problem(http.StatusConflict), "POST", "/api/v1/batches/{id}/cancel")
	}
	for _, id := range []string{"eb_00000000000000000000000000", "x", "batch"} {
		d.documented(s.call("GET", "/api/v1/batches/"+id, "").problem(http.StatusNotFound), "GET", "/api/v1/batches/{id}")
		s.call("POST", "/api/v1/batches/"+id+"/cancel", "").problem(http.StatusNotFound)
	}
	s.call("GET", batchPath, "").problem(http.StatusNotFound)
}

func TestABatchIsNotCancelledAfterItsWindow(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(everyScope...)
	id := s.call("POST", batchPath, array(byEmail("ann"))).answered().Batch.ID
	st.clock.Advance(24 * time.Hour)
	if p := s.call("POST", "/api/v1/batches/"+id+"/cancel", "").problem(http.StatusConflict); !strings.Contains(p.body, "window") {
		t.Errorf("the problem is %s", p.body)
	}
}

func TestNothingPersonalOfAListIsLogged(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "marker-1@example.com")
	s := st.script(everyScope...)
	said := ""
	for _, body := range []string{
		array(byEmail("marker-1"), byEmail("marker-2"), `{"key":"marker-3@example.com","value":"x"}`, `{"key":"email","value":"marker-4","reference":"marker-5@x"}`),
		array(byEmail("marker-6"), `{"marker-7":1}`), array(byEmail("marker-8"), `{"key":"marker-9","key":1}`), array(byEmail("marker-10"))[:30],
		ndjson(byEmail("marker-11"), `marker-12`), ndjson(byEmail("marker-13"), `"marker-14"`), `marker-15`, array(`{"key":["marker-16"]}`),
	} {
		said += s.call("POST", batchPath, body, "Idempotency-Key", "marker-17"+body[:5]).body
	}
	if log := st.log.String(); strings.Contains(log+said, "marker") || !strings.Contains(log, batchPath) || strings.Contains(log, "ERROR") {
		t.Errorf("the log or an answer tells a marker:\n%s\n%s", log, said)
	}
}

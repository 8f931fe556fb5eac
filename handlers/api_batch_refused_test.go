package handlers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func TestAListOfAnotherFormIsRefusedWholeAndNamesTheLine(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(everyScope...)
	refused := func(what, body, sentence string) {
		t.Helper()
		a := s.call("POST", batchPath, body)
		if a.status != http.StatusBadRequest || strings.Contains(a.body, "ann@example") || !strings.Contains(a.body, sentence) {
			t.Errorf("%s: %d %s, want %q", what, a.status, a.body, sentence)
		}
	}
	first, rest := `"key":"email"`, `"value":"ann@example.com"`
	for what, body := range strictJSON {
		if strings.HasPrefix(what, "a member missing") {
			continue // the line's own fault
		}
		line := strings.NewReplacer("FIRST", first, "REST", rest).Replace(body)
		named := "Line 2: "
		if what == "data after the end" || what == "a comment" {
			named = "Line 3: " // a comma is missing before it
		}
		refused(what, array(byEmail("ann"), line), named)
		if line != "" {
			refused(what, ndjson(byEmail("ann"), "", line, byEmail("ann")), "Line 3: ")
		}
	}
	for _, value := range []string{`1`, `null`, `true`, `["a"]`, `{"a":"b"}`} {
		refused(value, array(byEmail("ann"), `{`+first+`,"value":`+value+`}`), "Line 2: Give value a")
	}
	for _, line := range []string{`{"key":"email","value":"ann@example.com","x":1}`, `{"key":"email","value":"ann@example.com","suppress":"yes"}`, `7`, `"x"`, `true`} {
		refused(line, array(byEmail("ann"), line), "Line 2: ")
		refused(line, ndjson(byEmail("ann"), line), "Line 2: ")
	}
	st.keepsNoList()
}

func TestABodyThatIsNoListIsRefused(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(everyScope...)
	ann := byEmail("ann")
	for body, sentence := range map[string]string{
		"":                                "Send a JSON body.",
		" \r\n\t":                         "Send a JSON body.",
		"[]":                              "Send one line at least.",
		" [ \n ] ":                        "Send one line at least.",
		"null":                            "Send a JSON array, or one JSON object on each line.",
		"\ufeff" + array(ann):             "Send a JSON array, or one JSON object on each line.",
		"key=email":                       "Send a JSON array, or one JSON object on each line.",
		"[":                               "Line 1: Send the whole JSON text; this one is cut off.",
		"[" + ann:                         "Line 2: Send the whole JSON text; this one is cut off.",
		"[" + ann + ",":                   "Line 2: Send the whole JSON text; this one is cut off.",
		"[" + ann + "," + ann[:9]:         "Line 2: Send the whole JSON text; this one is cut off.",
		"[" + ann + ",]":                  "Line 2: Mend the JSON at byte ",
		"[" + ann + " " + ann + "]":       "Line 2: Mend the JSON at byte ",
		"[" + ann + `, {"key" "email"}]`:  "Line 2: Mend the JSON at byte 8.",
		"[" + ann + `,{"key":1,"key":2}]`: "Line 2: Give each name in a JSON object once; one stands twice at byte 10.",
		"[" + ann + ",[" + ann + "]]":     "Line 2: Give each line as an object.",
		array(ann) + "x":                  "Send one JSON array and nothing after it.",
		array(ann) + array(ann):           "Send one JSON array and nothing after it.",
		array(ann) + "\n" + ann:           "Send one JSON array and nothing after it.",
		ann + "\n" + array(ann):           "Line 2: Give each line as an object.",
		ann + ann:                         "Line 1: Give one JSON value and nothing after it",
		ann + "," + ann:                   "Line 1: Give one JSON value and nothing after it",
		ann + "\n" + ann[:len(ann)-1]:     "Line 2: Send the whole JSON text; this one is cut off.",
		"{\n\"key\":\"email\"}":           "Line 1: Send the whole JSON text; this one is cut off.",
		ann + "\v\n":                      "Line 1: Give one JSON value and nothing after it",
	} {
		if p := s.call("POST", batchPath, body).problem(http.StatusBadRequest); !strings.Contains(p.tree()["detail"].(string), sentence) {
			t.Errorf("%q is refused with %v, want %q", body, p.tree()["detail"], sentence)
		}
	}
	st.keepsNoList()
}

func TestAListOverItsLimitsIsRefusedWhole(t *testing.T) {
	st := newSite(t)
	d := openDocument(t, st)
	s := st.script(everyScope...)
	blank := strings.Repeat(" ", 1<<20)
	long := byEmail(strings.Repeat("a", bulkLine))
	many := strings.Repeat("{}\n", erasure.BulkLines) + "{}"
	for what, c := range map[string]struct{ body, sentence string }{
		"a line of NDJSON":       {ndjson(byEmail("ann"), long), "Line 2: Send 65536 bytes at most for one line."},
		"an element":             {array(byEmail("ann"), long), "Line 2: Send 65536 bytes at most for one line."},
		"blanks in an array":     {"[" + blank + byEmail("ann") + "]", "Line 1: Send 65536 bytes at most for one line."},
		"blanks after an array":  {array(byEmail("ann")) + blank, "Send 65536 bytes at most for one line."},
		"a string without end":   {`[{"key":"` + blank, "Line 1: Send 65536 bytes at most for one line."},
		"lines of NDJSON":        {many, "Line 100001: Send 100,000 lines at most in one call."},
		"elements":               {packed(t, array(strings.Split(many, "\n")...)), "Line 100001: Send 100,000 lines at most in one call."},
		"bytes, packed":          {packed(t, strings.Repeat(strings.Repeat(blank, 8)+"\n", 13)), "Send 104857600 bytes at most, counted unpacked."},
		"bytes, packed, in line": {packed(t, byEmail("ann")+"\n"+strings.Repeat(blank[:1<<10]+"\n", 100<<10)), "Send 104857600 bytes at most, counted unpacked."},
	} {
		p := s.call("POST", batchPath, c.body).problem(http.StatusRequestEntityTooLarge)
		if !strings.Contains(p.tree()["detail"].(string), c.sentence) {
			t.Errorf("%s: %v, want %q", what, p.tree()["detail"], c.sentence)
		}
		d.documented(p, "POST", batchPath)
	}
	st.keepsNoList()
}

// raw sends the head of a call and what follows it over a connection of its own.
func (s script) raw(head, body string) (c *net.TCPConn) {
	s.t.Helper()
	dialled, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	c = dialled.(*net.TCPConn)
	s.t.Cleanup(func() { c.Close() })
	if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n%s", batchPath, s.token, head, body); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func TestAListThatBreaksOffQueuesNothing(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(everyScope...)
	whole := strings.Repeat(byEmail("ann")+"\n", 2_000) // several chunks of a spool
	inArray := array(strings.Split(strings.TrimSpace(whole), "\n")...)
	gzipped := packed(t, whole)
	chunk := func(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }
	for what, c := range map[string]struct{ head, body string }{
		"NDJSON at the end of a line": {fmt.Sprint("Content-Length: ", len(whole)), whole[:len(byEmail("ann")+"\n")*1_500]},
		"NDJSON in its last line":     {fmt.Sprint("Content-Length: ", len(whole)), whole[:len(whole)-2]},
		"an array before its bracket": {fmt.Sprint("Content-Length: ", len(inArray)), inArray[:len(inArray)-1]},
		"after the array":             {fmt.Sprint("Content-Length: ", len(inArray)+1), inArray},
		"chunked NDJSON":              {"Transfer-Encoding: chunked", chunk(whole)},
		"a chunked array":             {"Transfer-Encoding: chunked", chunk(inArray)},
		"in a chunk":                  {"Transfer-Encoding: chunked", chunk(whole)[:1_000]},
		"gzip":                        {fmt.Sprint("Content-Length: ", len(gzipped)), gzipped[:len(gzipped)-9]},
		"gzip before its checksum":    {fmt.Sprint("Content-Length: ", len(gzipped)), gzipped[:len(gzipped)-1]},
	} {
		t.Run(what, func(t *testing.T) {
			c := s.raw(c.head, c.body)
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "Send the whole body; it broke off.") {
				t.Errorf("it is answered %d %s, %v", answer.StatusCode, text, err)
			}
			st.keepsNoList()
		})
	}
	for _, end := range []int{9, 5, 1} {
		p := s.call("POST", batchPath, gzipped[:len(gzipped)-end]).problem(http.StatusBadRequest)
		if !strings.Contains(p.body, "Send a whole gzip stream; this one is broken.") {
			t.Errorf("gzip without its last %d bytes is refused with %s", end, p.body)
		}
	}
	answered := strings.Count(st.log.String(), batchPath)
	s.raw(fmt.Sprint("Content-Length: ", len(whole)), whole[:len(whole)-9]).Close()
	storetest.Eventually(t, "the end of a call whose client is gone", func() bool { return strings.Count(st.log.String(), batchPath) > answered })
	st.keepsNoList()
}

func TestAListThatIsTakenIsQueuedWithoutItsClient(t *testing.T) {
	st := newSite(t)
	storetest.Identify(t, st.db, "crm", "email", "ann@example.com")
	s := st.script(everyScope...)
	body := strings.Repeat(byEmail("ann")+"\n", 2_000)
	s.raw(fmt.Sprint("Content-Length: ", len(body)), body).Close()
	storetest.Eventually(t, "the request", func() bool {
		return len(s.call("GET", "/api/v1/deletions", "").tree()["deletions"].([]any)) == 1
	})
	storetest.Eventually(t, "the end of the list", func() bool {
		lists, err := st.db.UnfinishedBulks(t.Context())
		return err == nil && len(lists) == 0
	})
}

func TestAListThatIsTakenAndCannotBeQueuedYetIsNotToBeSentAgain(t *testing.T) {
	st := newSite(t)
	spool, err := st.db.OpenSpool(t.Context(), erasure.NewBulk{Origin: erasure.API, Actor: erasure.System})
	if err == nil {
		err = spool.Add(t.Context(), erasure.Line{N: 1, Asked: storetest.Identifiers("user_id", "u1")[0]})
	}
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := spool.Confirm(t.Context(), store.Once{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := storetest.Raw(t, st.db.Options().Dir).Exec(`UPDATE spooled SET sealed = x'00'`); err != nil {
		t.Fatal(err)
	}
	v := &visit{}
	r := httptest.NewRequest(http.MethodPost, batchPath, nil)
	err = st.server.queueBatch(r.WithContext(context.WithValue(r.Context(), visitKey{}, v)), id)
	status, sentence, _ := wire.Classify(err)
	if status != http.StatusServiceUnavailable || !strings.Contains(sentence, "Do not send the list again") || !strings.Contains(sentence, id.String()) {
		t.Errorf("it is answered %d %s", status, sentence)
	}
	if v.failure == nil {
		t.Error("why is not logged")
	}
}

// The deadlines of the server have passed before the body is read.
func TestALongListMovesTheDeadlines(t *testing.T) {
	st := newSite(t)
	s := st.script(everyScope...)
	front := httptest.NewUnstartedServer(st.server.Handler())
	front.Config.ReadHeaderTimeout, front.Config.ReadTimeout, front.Config.WriteTimeout = 10*time.Second, 1, 1
	front.Start()
	defer front.Close()
	st.url = front.URL
	body := strings.Repeat(byEmail("nobody")+"\n", 5_000)
	if b := s.call("POST", batchPath, body).answered(); b.Batch.Requested != 5_000 || len(b.Results) != 5_000 {
		t.Errorf("the batch counts %+v", b.Batch)
	}
	s.call("POST", batchPath, body+"x").problem(http.StatusBadRequest)
	r, err := http.NewRequestWithContext(t.Context(), "POST", st.url+"/api/v1/deletions", strings.NewReader(strings.Repeat(" ", 1<<19)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	if res, err := s.client.Do(r); err == nil {
		res.Body.Close()
		t.Errorf("another route is answered %d", res.StatusCode)
	} else if errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

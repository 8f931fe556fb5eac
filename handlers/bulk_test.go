package handlers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// listForm writes the upload's form; pairs are its fields before the file.
func listForm(t *testing.T, file string, pairs ...string) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = &bytes.Buffer{}
	parts := multipart.NewWriter(body)
	for i := 0; i < len(pairs); i += 2 {
		if err := parts.WriteField(pairs[i], pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := parts.CreateFormFile("file", "list.csv")
	if err == nil {
		_, err = io.WriteString(part, file)
	}
	if err == nil {
		err = parts.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return body, parts.FormDataContentType()
}

func (b *browser) upload(file string, pairs ...string) reply {
	b.t.Helper()
	body, contentType := listForm(b.t, file, pairs...)
	return b.send("POST", "/bulk", body, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin")
}

func (st *site) bulkOf(path string) erasure.Bulk {
	st.t.Helper()
	id, ok := erasure.ParseBatchID(strings.TrimPrefix(path, "/bulk/"))
	if !ok {
		st.t.Fatalf("%q is no list's page", path)
	}
	list, err := st.db.Bulk(st.t.Context(), id)
	if err != nil {
		st.t.Fatal(err)
	}
	return list
}

// uploaded sends a list and returns the path of its page.
func (b *browser) uploaded(file string, pairs ...string) string {
	b.t.Helper()
	return b.upload(file, pairs...).want(http.StatusSeeOther).location()
}

// checked is a list that was looked up too.
func (b *browser) checked(file string, pairs ...string) string {
	b.t.Helper()
	path := b.uploaded(file, pairs...)
	if err := b.db.CheckBulk(b.t.Context(), b.bulkOf(path).ID); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// queued is a list whose requests are made too.
func (b *browser) queued(file string, pairs ...string) string {
	b.t.Helper()
	path := b.checked(file, pairs...)
	b.post(path, confirmed(fmt.Sprint(b.bulkOf(path).Found.Matched))).leadsTo(path)
	b.queue(path)
	return path
}

func (b *browser) queue(path string) {
	b.t.Helper()
	if err := b.db.QueueBulk(b.t.Context(), b.bulkOf(path).ID); err != nil {
		b.t.Fatal(err)
	}
}

// people stores n persons whose user_ids are u0 and so on.
func (st *site) people(n int) (list string) {
	st.t.Helper()
	var b strings.Builder
	b.WriteString("user_id\n")
	for i := range n {
		st.person("user_id", fmt.Sprint("u", i), "email", fmt.Sprintf("u%d@example.com", i))
		fmt.Fprintf(&b, "u%d\n", i)
	}
	return b.String()
}

// keepsNoList fails the test if anything of a list is left.
func (st *site) keepsNoList() {
	st.t.Helper()
	if rows := storetest.Dump(st.t, storetest.Raw(st.t, st.dir), "spools", "spooled", "batches"); len(rows) != 0 {
		st.t.Errorf("%d rows of lists are kept", len(rows))
	}
	if n := len(st.requests()); n != 0 {
		st.t.Errorf("%d requests were made", n)
	}
}

func TestAListGoesFromTheUploadToItsRequests(t *testing.T) {
	var woken, wokenBulk atomic.Int32
	st := newSite(t, func(c *Config) {
		c.SuppressFor = 1096 * 24 * time.Hour
		c.Wake, c.WakeBulk = func() { woken.Add(1) }, func() { wokenBulk.Add(1) }
	})
	st.people(3)
	st.person("user_id", "f1", "email", "family@example.com")
	st.person("user_id", "f2", "email", "family@example.com")
	st.requested(st.person("user_id", "open"))
	ann := st.invited("ann@staff.example", erasure.Staff)
	b := st.browserOf(ann)
	b.get("/bulk").says(http.StatusOK, "nothing is requested before you confirm").says(http.StatusOK, "3 years").says(http.StatusOK, "clevertap_id, anonymous_id")

	path := b.uploaded("value,key,name\nu0,user_id,Ann\nu1@example.com,email,\nu1,user_id,\nnobody,user_id,\nfamily@example.com,email,\nopen,user_id,\nx,y,\n",
		"table", "user", "region", "", "reference", " DSR-7 ", "reason", "by\r\nmail", "suppress", "yes")
	if wokenBulk.Load() != 1 || len(st.requests()) != 1 {
		t.Error("the upload woke nobody, or requested something")
	}
	a := b.get(path).notice("These columns of the file were ignored: name.").says(http.StatusOK, "0 of 7 lines")
	if a.find(".alert-success").Length() != 0 || a.find(".alert-info[role=status]").Length() != 1 {
		t.Error("ignored columns are told as a success")
	}
	list := st.bulkOf(path)
	if err := st.db.CheckBulk(t.Context(), list.ID); err != nil {
		t.Fatal(err)
	}
	a = b.get(path).want(http.StatusOK)
	var rows []string
	for _, row := range a.find("table").First().Find("tbody tr").EachIter() {
		rows = append(rows, strings.TrimSpace(row.Find("td").First().Text())+" "+strings.TrimSpace(row.Find(".num").Text()))
	}
	if got := strings.Join(rows, ", "); got != "Matched 2, Not found 1, Duplicate 1, Shared 1, Already requested 1, Refused 1, All 7" {
		t.Errorf("the page counts %s", got)
	}
	a.says(http.StatusOK, "Give a key that people are found by").says(http.StatusOK, "Not collected again")
	if got := a.fact("Reference"); got != "DSR-7" {
		t.Errorf("the reference is %q", got)
	}
	b.post(path, confirmed("2")).leadsTo(path)
	if wokenBulk.Load() != 2 {
		t.Error("the confirmation woke nobody")
	}
	b.get(path).says(http.StatusOK, "The list is being queued")
	b.queue(path)
	a = b.get(path).says(http.StatusOK, "Deletion requested for 2 profiles").says(http.StatusOK, "cancelled for another 1 d")
	if a.find("#batch-id").Text() != list.ID.String() || a.fact("Requested by") != "ann@staff.example" || a.fact("Lines of the list") != "7" {
		t.Errorf("the page says\n%s", a.find("main").Text())
	}
	if n := b.get("/logs?q=" + list.ID.String()).find("#rows tr").Length(); n != 2 {
		t.Errorf("the log shows %d requests of the batch", n)
	}
	for _, r := range st.requests() {
		if r.Batch == nil {
			continue
		}
		r, err := st.db.RequestDetails(t.Context(), erasure.System, r.ID)
		if err != nil || r.Reason != "by\nmail" || r.Reference != "DSR-7" || !r.Suppress || r.Origin != erasure.Console || r.Actor.ID != ann.ID {
			t.Errorf("a request is %+v, %v", r, err)
		}
	}
}

func TestAListOfGroupsAndOfNationalNumbers(t *testing.T) {
	st := newSite(t)
	st.group("acct-7", 2)
	st.person("phone", "+49 211 123456")
	b := st.signedIn(erasure.Staff)
	if list := st.bulkOf(b.checked("group_id\nacct-7\n", "table", "group")); list.Found.Matched != 1 {
		t.Errorf("of groups it leads to %+v", list.Found)
	}
	if list := st.bulkOf(b.checked("phone\n0211 123456\n", "region", "DE")); list.Found.Matched != 1 {
		t.Errorf("of a country's numbers it leads to %+v", list.Found)
	}
	if list := st.bulkOf(b.checked("phone\n0211 123456\n")); list.Found.NotFound != 1 {
		t.Errorf("without a country it leads to %+v", list.Found)
	}
}

func TestAnUploadThatCannotBeReadIsRefusedAndNothingIsKept(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	fields := []string{"table", "user", "region", "DE", "reference", "DSR-7", "reason", "by <mail>", "suppress", "yes"}
	for file, sentence := range map[string]string{
		"":                          "Choose a file that is not empty",
		"email\n":                   "Choose a file that has a line below",
		"ann@example.com\n":         "Name one column in the first line",
		"email,phone\n1,2\n":        "Keep one of the columns",
		"email;name\n":              "Separate the columns by commas",
		"PK\x03\x04\x00\x00\n":      "no CSV",
		packed(t, "email\na@b")[:9]: "cut off or damaged",
		packed(t, "email\n"+strings.Repeat("a@b.example\n", 9_000))[:150]: "cut off or damaged",
	} {
		a := b.upload(file, fields...).refused(http.StatusUnprocessableEntity, sentence)
		a.holds("reference", "DSR-7").holds("reason", "by <mail>").holds("region", "DE")
		if a.find("#suppress[checked]").Length() != 1 || a.find("#file[aria-invalid=true]").Length() != 1 {
			t.Errorf("the form does not keep its check mark or mark the file\n%s", a.body)
		}
	}
	const list = "email\nann@example.com\n"
	b.upload(list, "table", "x").refused(http.StatusUnprocessableEntity, "Choose the table")
	b.upload(list, "region", "XX").refused(http.StatusUnprocessableEntity, "Choose the country")
	b.upload(list, "reference", "ann@example.com").refused(http.StatusUnprocessableEntity, "Use only letters")
	b.upload(list, "reason", strings.Repeat("ä", erasure.ReasonLength+1)).refused(http.StatusUnprocessableEntity, "Shorten the reason")
	st.keepsNoList()
}

func TestAPackedListIsReadAsIfItWereNot(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	if list := st.bulkOf(b.checked(packed(t, st.people(2)))); list.Found.Matched != 2 {
		t.Errorf("it leads to %+v", list.Found)
	}
}

func TestAFormOfAnotherMakeIsRefusedAndNothingIsKept(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	const sentence = "Go back and send the form again"
	list := "email\nann@example.com\n"
	b.post("/bulk", url.Values{"file": {list}}).says(http.StatusBadRequest, sentence)
	b.upload(list, "reason", "a\x00b").says(http.StatusBadRequest, sentence)
	b.upload(list, "reason", "\xff").says(http.StatusBadRequest, sentence)
	b.upload(list, "reason", strings.Repeat("long ", formBody/5+1)).says(http.StatusBadRequest, sentence)
	var many []string
	for range maxFields {
		many = append(many, "more", "")
	}
	b.upload(list, many...).says(http.StatusBadRequest, sentence)
	body, contentType := listForm(t, list)
	whole := body.String()
	send := func(body string) reply {
		return b.send("POST", "/bulk", strings.NewReader(body), "Content-Type", contentType, "Sec-Fetch-Site", "same-origin")
	}
	end := strings.LastIndex(whole, "\r\n--")
	boundary := whole[:strings.Index(whole, "\r\n")]
	send(whole[:end]).says(http.StatusBadRequest, "Send the file again") // whole as HTTP has it, and cut off as a form
	send(whole[:end]+"\r\n"+boundary+"\r\nContent-Disposition: form-data; name=\"reason\"\r\n\r\nlate\r\n"+boundary+"--\r\n").
		says(http.StatusBadRequest, sentence)
	send("").says(http.StatusBadRequest, sentence)
	st.keepsNoList()
	b.send("POST", "/bulk", strings.NewReader(whole), "Content-Type", contentType, "Sec-Fetch-Site", "cross-site").
		says(http.StatusForbidden, "it came from another site")
	st.keepsNoList()
	send(whole).want(http.StatusSeeOther)
}

// lineWithoutEnd writes the form of a list that has so many bytes more, in a line without an end.
func lineWithoutEnd(t *testing.T, more int) (body io.Reader, contentType string) {
	t.Helper()
	form, contentType := listForm(t, "email\n"+strings.Repeat("nobody\n", 2_000)+"@", "reason", "why")
	before, after, _ := strings.Cut(form.String(), "@")
	return io.MultiReader(strings.NewReader(before), strings.NewReader(strings.Repeat("a", more)), strings.NewReader(after)), contentType
}

func TestATooLargeListIsRefusedAndNothingIsKept(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	body, contentType := lineWithoutEnd(t, erasure.BulkSize)
	b.send("POST", "/bulk", body, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin").
		refused(http.StatusRequestEntityTooLarge, "Split the file: it may have 100 MB at most, counted unpacked.").holds("reason", "why")
	if status, text := b.uploadHalf(contentType, fmt.Sprintf("Content-Length: %d", listBody+1), ""); status != http.StatusRequestEntityTooLarge || !strings.Contains(text, "Send less at once") {
		t.Errorf("an upload that is announced as too large is answered with %d\n%s", status, text)
	}
	st.keepsNoList()
}

func TestAnUploadThatBreaksOffLeavesNothing(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	form, contentType := listForm(t, st.people(1)+strings.Repeat("nobody\n", 5_000))
	half := form.String()[:form.Len()/2]
	for length, sent := range map[string]string{
		fmt.Sprintf("Content-Length: %d", form.Len()): half,
		"Transfer-Encoding: chunked":                  fmt.Sprintf("%x\r\n%s\r\n", len(half), half),
		"Transfer-Encoding:  chunked":                 fmt.Sprintf("%x\r\n%s", form.Len(), half),
		"Content-Length: 100000":                      half[:100], // in its fields
	} {
		if status, text := b.uploadHalf(contentType, length, sent); status != http.StatusBadRequest || !strings.Contains(text, "Send the file again: the upload broke off") {
			t.Errorf("%s: the answer is %d\n%s", length, status, text)
		}
	}
	st.keepsNoList()
}

// uploadHalf sends a body of which nothing more comes, and returns the answer.
func (b *browser) uploadHalf(contentType, length, sent string) (status int, text string) {
	b.t.Helper()
	at, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	conn, err := net.Dial("tcp", at.Host)
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /bulk HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nSec-Fetch-Site: same-origin\r\nContent-Type: %s\r\n%s\r\n\r\n%s",
		at.Host, b.client.Jar.Cookies(at)[0], contentType, length, sent)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		b.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// A server whose limits are over at once shows that an upload moves them.
func TestAnUploadMayTakeLongerThanAPage(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Staff)
	form, contentType := listForm(t, st.people(1)+strings.Repeat("nobody\n", 100_000))
	hurried := httptest.NewUnstartedServer(st.server.Handler())
	hurried.Config.ReadHeaderTimeout, hurried.Config.ReadTimeout, hurried.Config.WriteTimeout = time.Minute, time.Nanosecond, time.Nanosecond
	hurried.Start()
	defer hurried.Close()
	res, err := b.client.Post(hurried.URL+"/bulk", contentType, form)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if list := st.bulkOf(res.Header.Get("Location")); list.Lines != 100_001 {
		t.Errorf("%d lines arrived", list.Lines)
	}
}

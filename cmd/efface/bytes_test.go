package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/efface/efface/store/storetest"
)

// I1: whatever is told, asked, uploaded or mistyped, and whatever becomes of
// it, no file shows it: not while it is held, not after the erasure, not after
// a kill -9, and not where the keyring and the master key are elsewhere.
func TestNoFileEverShowsAPersonalValue(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.serve("24h")
	held := s.crowd(1000, 60)
	s.importCSV(held)
	called := s.crowd(150, 60)
	s.importCalls(called, inTheClear)
	posted := s.crowd(60, 60)
	s.postCalls(posted)
	s.look("while people are held")
	s.askScripts(held, called)
	s.look("after scripts asked")
	s.browse(held, called)
	s.look("after staff asked")
	s.uploads()
	s.uploadLists(held)

	s.kill()
	s.look("after a kill -9")
	s.serve("200ms")
	release := openReaders(t, s.path("efface.db"), s.path("keyring.db"))
	for _, p := range slices.Concat(held[:30], called[:30], posted[:30]) {
		want(t, http.StatusAccepted, "a deletion")(s.api("POST", "/api/v1/deletions",
			map[string]any{"key": "user_id", "value": p.userID, "reason": s.plant("Grund "), "suppress": p.phone[10] > '4'}))
	}
	s.importCalls(s.crowd(700, 30), "another-source") // between the steps of the erasures
	s.postCalls(posted)
	s.look("while people are erased, with readers open")
	release()
	storetest.Eventually(t, "every request is completed", func() bool {
		return s.count(openRequests) == s.count(`SELECT COUNT(*) FROM requests WHERE state = 'pending' AND cancel_before > requested_at + 1000`)
	})
	s.look("after the erasures")
	s.kill()
	s.look("after another kill -9")

	s.keysElsewhere()
	s.serve("24h")
	s.look("after the next start, with the keys elsewhere")
	s.browse(held[40:], called[40:])
	s.importCalls(s.crowd(100, 30), inTheClear)
	if keys := s.command("", "key", "list"); !strings.Contains(keys.stdout, "script") {
		t.Errorf("beside the server the list of keys is %q", keys.stdout)
	}
	s.look("with the keys elsewhere")
}

// importCSV imports by stdin and looks while the import is under way.
func (s *scene) importCSV(people []somebody) {
	s.t.Helper()
	r, w := io.Pipe()
	defer w.Close()
	im := s.launch(r, "import", "--source", inTheClear, "-")
	var b strings.Builder
	b.WriteString(csvColumns)
	for _, p := range people {
		b.WriteString(p.csv())
	}
	text := b.String()
	most := len(text) * 9 / 10
	if _, err := io.WriteString(w, text[:most]); err != nil {
		s.t.Fatal(err)
	}
	storetest.Eventually(s.t, "some of the import is committed", func() bool { return s.count(`SELECT COUNT(*) FROM fragments`) > 0 })
	s.look("during an import", im)
	if _, err := io.WriteString(w, text[most:]); err != nil {
		s.t.Fatal(err)
	}
	w.Close()
	s.imported(im, len(people))
}

// importCalls imports packed NDJSON by stdin, with a line that is refused.
func (s *scene) importCalls(people []somebody, source string) {
	s.t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for _, p := range people {
		io.WriteString(z, p.calls())
	}
	fmt.Fprintf(z, `{"type":"identify","userId":%q,"traits":[%q]}`+"\n", s.plant("refused-"), s.plant("refused-"))
	if err := z.Close(); err != nil {
		s.t.Fatal(err)
	}
	im := s.launch(&packed, "import", "--source", source, "-")
	s.imported(im, 2*len(people))
}

func (s *scene) imported(im *process, lines int) {
	s.t.Helper()
	im.code()
	if !strings.Contains(im.stderr.String(), thousands(lines)+" added") {
		s.t.Fatalf("the import says %s", im.stderr)
	}
	s.planted.inPrint(im).report(s.t, "what an import prints")
}

// askScripts finds, requests and cancels by every API, with mistakes.
func (s *scene) askScripts(held, called []somebody) {
	s.t.Helper()
	find := func(key, value string, status int) {
		s.t.Helper()
		want(s.t, status, "a find")(s.api("POST", "/api/v1/profiles/find", map[string]string{"key": key, "value": value}))
	}
	find("email", held[0].email, 200)
	find("phone", held[1].phone, 200)
	find("anonymous_id", called[0].anonymous, 200)
	find("email", s.plant("nobody@with.such."), 200)
	find("phone", s.plant("no number "), 200)
	find("efface_id", s.plant("no uuid "), 400)
	check := func(status int, key, value string) {
		s.t.Helper()
		want(s.t, status, "a check")(s.api("POST", "/api/v1/suppressions/check", map[string]any{"identifiers": []map[string]string{{"key": key, "value": value}}}))
	}
	check(200, "email", held[0].email)
	check(200, "user_id", s.plant("checked "))
	check(200, s.plant("key"), s.plant("value"))
	for i, p := range called[:4] {
		request := map[string]any{"key": "email", "value": p.email, "reason": s.plant("Grund: "), "suppress": i%2 == 0}
		a := want(s.t, 202, "a deletion")(s.api("POST", "/api/v1/deletions", request, "Idempotency-Key", s.plant("key.of@example.")))
		id := decode[struct{ ID string }](s.t, a).ID
		want(s.t, 200, "the deletion")(s.api("GET", "/api/v1/deletions/"+id, nil))
		if i%2 == 0 {
			want(s.t, 200, "a cancel")(s.api("POST", "/api/v1/deletions/"+id+"/cancel", nil))
		}
	}
	list := func(status int, second map[string]string) {
		s.t.Helper()
		first := map[string]string{"key": "email", "value": s.plant("listed@example."), "reason": s.plant("Grund, ")}
		want(s.t, status, "a list")(s.api("POST", "/api/v1/deletions/batch", []map[string]string{first, second}, "Idempotency-Key", s.plant("list@")))
	}
	list(202, map[string]string{"key": s.plant("key"), "value": s.plant("value"), "reference": s.plant("ref@example.")})
	list(400, map[string]string{"key": "email", s.plant("member"): s.plant("value")})
	for _, p := range held[2:6] {
		body := map[string]string{"identify_by_key": "phone", "identify_by_value": p.phone}
		want(s.t, 200, "CustomerLabs' request")(s.api("POST", "/user-deletion/", body))
		want(s.t, 200, "CustomerLabs' cancel")(s.api("POST", "/user-deletion/cancel-request", body))
	}
	want(s.t, 200, "CustomerLabs' miss")(s.api("POST", "/user-deletion", map[string]string{"identify_by_key": "email", "identify_by_value": s.plant("miss@example.")}))
	clever := func(body map[string]any, status int) {
		s.t.Helper()
		want(s.t, status, "CleverTap's request")(s.api("POST", "/1/delete/profiles.json", body, "X-CleverTap-Account-Id", accountID, "X-CleverTap-Passcode", s.key))
	}
	clever(map[string]any{"identity": []string{s.plant("nobody yet "), s.plant("nor this one ")}}, 200)
	clever(map[string]any{"guid": s.plant("alone ")}, 200)
	clever(map[string]any{"guid": []string{s.plant("queued "), s.plant(strings.Repeat("long ", 300))}}, 400)
	june := func(status int, method, path string, body any) {
		s.t.Helper()
		want(s.t, status, "June's "+path)(s.api(method, "/api/platform/data_management/"+path, body, "Authorization", "Basic "+s.key))
	}
	june(200, "POST", "user_deletion_request", map[string]string{"user_id": s.plant("June's user ")})
	june(200, "POST", "group_deletion_request", map[string]string{"group_id": s.plant("June's group ")})
	june(400, "POST", "group_deletion_request", map[string]string{"user_id": s.plant("no group ")})
	june(200, "GET", "user_deletion_requests", nil)
	june(200, "GET", "group_deletion_requests", nil)
	want(s.t, 400, "a reference that is none")(s.api("POST", "/api/v1/deletions", map[string]string{"key": "email", "value": held[7].email, "reference": s.plant("ref@example.")}))
	want(s.t, 400, "too long a reason")(s.api("POST", "/api/v1/deletions", map[string]string{"key": "email", "value": held[7].email, "reason": strings.Repeat(s.plant("long "), 200)}))
	want(s.t, 400, "an unknown member")(s.api("POST", "/api/v1/deletions", map[string]string{"key": "email", s.plant("member"): s.plant("value")}))
}

const staffPassword = "rivers run uphill twice"

// browse does what staff do in the console.
func (s *scene) browse(held, called []somebody) {
	s.t.Helper()
	staff := s.signIn()
	miss := want(s.t, 200, "a failed find")(staff.form("/find", "table", "user", "key", "email", "value", s.plant("not.found@example.")))
	if !strings.Contains(miss.body, "not.found@example.") {
		s.t.Error("the form does not keep what was typed")
	}
	for _, p := range []somebody{held[10], called[10]} {
		profile := want(s.t, 303, "a find")(staff.form("/find", "table", "user", "key", "email", "value", strings.ToUpper(p.email))).header.Get("Location")
		if page := want(s.t, 200, "a profile")(staff.send("GET", profile, nil)); !strings.Contains(page.body, p.userID) {
			s.t.Error("the profile's page does not show its identifiers")
		}
		id := profile[strings.LastIndex(profile, "/")+1:]
		want(s.t, 422, "a wrong paste")(staff.form(profile+"/delete", "confirm", s.plant("pasted "), "reason", s.plant("Grund? ")))
		request := want(s.t, 303, "a right paste")(staff.form(profile+"/delete", "confirm", id, "reason", s.plant("Grund! "), "seen", staff.seen(profile))).header.Get("Location")
		want(s.t, 200, "the request")(staff.send("GET", request, nil))
		want(s.t, 422, "a cancel with a wrong paste")(staff.form(request+"/cancel", "confirm", s.plant("pasted ")))
		want(s.t, 303, "a cancel")(staff.form(request+"/cancel", "confirm", id))
	}
	checked := want(s.t, 200, "a check")(staff.form("/suppressions/check", "table", "user", "key", "email", "value", s.plant("checked@example.")))
	if !strings.Contains(checked.body, "checked@example.") {
		s.t.Error("the form does not keep what was typed")
	}
	want(s.t, 200, "a check")(staff.form("/suppressions/check", "table", "user", "key", "phone", "value", held[11].phone))
	want(s.t, 400, "a lift of nothing")(staff.form("/suppressions/lift", "fingerprint", s.plant("pasted ")))
	for _, page := range []string{"/logs", "/logs.csv", "/activity", "/suppressions"} {
		want(s.t, 200, page)(staff.send("GET", page, nil))
	}
}

// signIn makes an account and signs in, with a mistake.
func (s *scene) signIn() *visitor {
	s.t.Helper()
	email := fmt.Sprintf("staff%d@example.net", len(s.planted.names))
	s.command(staffPassword+"\n", "operator", "create", "--email", email, "--role", "admin", "--password-stdin")
	staff := newVisitor(s.t, s.base, "")
	want(s.t, 401, "a wrong password")(staff.form("/login", "email", email, "password", s.plant("wrong password ")))
	want(s.t, 401, "an unknown account")(staff.form("/login", "email", s.plant("unknown@example."), "password", s.plant("wrong password ")))
	want(s.t, 303, "signing in")(staff.form("/login", "email", email, "password", staffPassword))
	return staff
}

// uploads sends bodies that are large, over the limit, of several parts, and
// one of which the rest never comes.
func (s *scene) uploads() {
	s.t.Helper()
	staff := s.signIn()
	want(s.t, 200, "a large form")(staff.form("/find", "table", "user", "key", "email", "value", s.plant("l@"), "rest", strings.Repeat(s.plant("rest"), 3000)))
	want(s.t, 413, "too large a form")(staff.form("/find", "table", "user", "key", "email", "value", strings.Repeat(s.plant("over"), 5000)))
	want(s.t, 413, "too large a body")(s.api("POST", "/api/v1/deletions", map[string]string{"reason": strings.Repeat(s.plant("over"), 80_000)}))
	var b bytes.Buffer
	parts := multipart.NewWriter(&b)
	file, err := parts.CreateFormFile("value", s.plant("file"))
	if err != nil {
		s.t.Fatal(err)
	}
	io.WriteString(file, strings.Repeat(s.plant("part"), 3000))
	if err := parts.Close(); err != nil {
		s.t.Fatal(err)
	}
	if _, err := staff.send("POST", "/find", &b, "Content-Type", parts.FormDataContentType(), "Sec-Fetch-Site", "same-origin"); err != nil {
		s.t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /api/v1/deletions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nContent-Length: 900000\r\n\r\n{\"reason\": \"%s",
		s.key, strings.Repeat(s.plant("part"), 40_000))
	s.look("while an upload is under way")
}

// uploadLists sends lists of people: one that is queued and cancelled, one that
// waits to be confirmed, one that is given up, some that are refused, and one
// of which the rest never comes.
func (s *scene) uploadLists(held []somebody) {
	s.t.Helper()
	staff := s.signIn()
	var list strings.Builder
	list.WriteString("key,value\n")
	for _, p := range held[20:40] {
		fmt.Fprintf(&list, "email,%s\nphone,%s\nuser_id,%s\n", strings.ToUpper(p.email), p.phone, p.userID)
	}
	fmt.Fprintf(&list, "email,%s\n%s,%s\nefface_id,%s\n", s.plant("nobody@example."), s.plant("key-"), s.plant("value-"), s.plant("no-uuid-"))
	send := func(list string, status int) (page string) {
		s.t.Helper()
		body, contentType := s.listForm(list)
		a := want(s.t, status, "a list")(staff.send("POST", "/bulk", body, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin"))
		return a.header.Get("Location")
	}
	stage := func(page, says string) {
		s.t.Helper()
		storetest.Eventually(s.t, "the list's page says "+says, func() bool {
			return strings.Contains(want(s.t, 200, "a list's page")(staff.send("GET", page, nil)).body, says)
		})
	}
	queued, waiting, given := send(list.String(), 303), send(list.String(), 303), send(list.String(), 303)
	for _, page := range []string{queued, waiting, given} {
		stage(page, "to confirm: 20")
	}
	s.look("while lists wait to be confirmed")
	want(s.t, 422, "a wrong count")(staff.form(queued, "confirm", s.plant("wrong ")))
	want(s.t, 303, "a right count")(staff.form(queued, "confirm", "20"))
	want(s.t, 303, "giving up")(staff.form(given + "/discard"))
	stage(queued, "Deletion requested for 20 profiles")
	want(s.t, 200, "the result")(staff.send("GET", queued+"/results.csv", nil))
	want(s.t, 303, "the batch's cancel")(staff.form(queued+"/cancel", "confirm", "20"))
	send(s.plant("no-header@example.")+"\n", 422)
	send("email,phone\n"+s.plant("two@example.")+"\n", 422)

	body, contentType := s.listForm("email\n" + strings.Repeat(s.plant("half@example.")+"\n", 40_000))
	r, w := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = staff.send("POST", "/bulk", r, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin")
	}()
	if _, err := io.CopyN(w, body, int64(body.Len())*9/10); err != nil {
		s.t.Fatal(err)
	}
	storetest.Eventually(s.t, "a part of the list is kept", func() bool { return s.count(`SELECT COUNT(*) FROM spools WHERE stage = 'receiving'`) == 1 })
	s.look("while a list is on its way")
	w.CloseWithError(io.ErrUnexpectedEOF)
	<-ended
	storetest.Eventually(s.t, "nothing of it is kept", func() bool {
		return s.count(`SELECT COUNT(*) FROM spools WHERE stage IN ('receiving', 'discarded')`) == 0 && s.count(`SELECT COUNT(*) FROM spools WHERE origin = 'console'`) == 2
	})
}

// listForm writes the form of the page Bulk deletion.
func (s *scene) listForm(list string) (body *bytes.Buffer, contentType string) {
	s.t.Helper()
	body = &bytes.Buffer{}
	parts := multipart.NewWriter(body)
	err := parts.WriteField("reason", s.plant("Grund! "))
	if err == nil {
		var file io.Writer
		if file, err = parts.CreateFormFile("file", s.plant("file of ")+".csv"); err == nil {
			_, err = io.WriteString(file, list)
		}
	}
	if err == nil {
		err = parts.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return body, parts.FormDataContentType()
}

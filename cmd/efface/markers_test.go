package main

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/efface/efface/store/seal"
)

// Nothing that a client or a file says, wherever it says it and whatever
// becomes of it, is in a line that the program prints or in a metric.
func TestNoLogLineOrMetricShowsWhatAClientSaid(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	m := &markers{scene: s, statuses: map[int]int{}}
	people := s.crowd(40, 40)
	s.command("", "import", "--phone-region", "AT", write(t, "people.csv", csvOf(people[:20])))
	s.importCalls(people[20:], "shop")
	m.badImport()
	s.command(staffPassword+"\n", "operator", "create", "--email", markersStaff, "--role", "admin", "--password-stdin")

	m.serve("24h")
	m.everywhere(people)
	m.signInTries()
	m.connections()
	m.end(t, "the server")

	m.serve("1s", "--rate-per-key", "0.001")
	for range 20 {
		m.note(m.api("POST", "/api/v1/deletions", map[string]string{"key": "email", "value": m.mark()}))
	}
	m.end(t, "the server with a rate")

	m.breakStore("records", "traits", "lookup")
	m.serve("1s")
	m.everywhere(people[5:])
	m.breakStore("requests", "log_entries")
	m.everywhere(people[5:])
	m.end(t, "the server with a broken store")

	for _, status := range []int{200, 202, 303, 400, 401, 403, 404, 405, 409, 413, 422, 429, 500} {
		if m.statuses[status] == 0 {
			t.Errorf("no answer was %d: %v", status, m.statuses)
		}
	}
	if m.made < 1000 {
		t.Errorf("%d markers were planted, not 1,000", m.made)
	}
	t.Logf("%d markers, answers by status: %v", m.made, m.statuses)
}

// markers sends values that are looked for afterwards.
type markers struct {
	*scene
	staff    *visitor
	made     int
	ops      string
	statuses map[int]int
}

// mark makes up a marker.
func (m *markers) mark() string {
	m.made++
	return m.plant("mk")
}

func (m *markers) serve(window string, flags ...string) {
	m.t.Helper()
	m.ops = freeAddress(m.t)
	m.scene.serve(window, append(flags, "--ops-listen", m.ops)...)
	m.staff = newVisitor(m.t, m.base, "")
}

// end reads the metrics, stops the server and searches what it printed.
func (m *markers) end(t *testing.T, what string) {
	t.Helper()
	found := sightings{}
	for _, path := range []string{"/metrics", "/debug/pprof/cmdline"} {
		a := want(t, http.StatusOK, path)(newVisitor(t, "http://"+m.ops, "").send("GET", path, nil))
		found.add(m.planted.in([]byte(a.body)), path)
	}
	m.stop()
	log := m.server.stderr.String()
	if !strings.Contains(log, "reference=") || !strings.Contains(log, "route=/user-deletion") && !strings.Contains(log, "route=/api/v1/deletions") {
		t.Errorf("%s logged nothing to search: %s", what, log)
	}
	found.merge(m.planted.inPrint(m.server))
	found.report(t, "what "+what+" tells")
	m.server = nil
}

func (m *markers) note(a answer, err error) {
	if err == nil {
		m.statuses[a.status]++
	}
}

// badImport imports lines that are refused, and files that are none. Names of
// columns are told to who imports, and are nobody's data.
func (m *markers) badImport() {
	m.t.Helper()
	for _, text := range []string{
		"user_id,email,note\n" + m.mark() + ",bad\xff" + m.mark() + ",x\n" + m.mark() + "\n\"" + m.mark() + "\"x,y,z\n",
		m.mark() + "," + m.mark() + "\n1,2\n",
		`{"type":"` + m.mark() + `","userId":"` + m.mark() + `"}` + "\n" + `{"type":"identify","userId":["` + m.mark() + `"]}` + "\n{\"" + m.mark() + "\n",
		`{"type":"identify","userId":"` + m.mark() + `","userId":"` + m.mark() + `"}` + "\n" + `{"type":"track","userId":"u","timestamp":"` + m.mark() + `"}` + "\n",
		"user_id,efface_id\n" + m.mark() + "," + m.mark() + "\n",
		"user_id,email\nu," + strings.Repeat(m.mark(), 200) + "\n",
	} {
		im := m.launch(strings.NewReader(text), "import", "-")
		if im.code() == 0 {
			m.t.Errorf("an import that should be refused was not: %s", im.stderr)
		}
		m.planted.inPrint(im).report(m.t, "what a refused import prints")
	}
}

// everywhere sends markers in every place of every kind of request.
func (m *markers) everywhere(people []somebody) {
	m.t.Helper()
	m.enter()
	for i := range 6 {
		m.pages(people[i])
		m.scripts(people[i])
		m.calls(people[i])
	}
	m.wrongPlaces()
}

// pages sends forms, good and bad.
func (m *markers) pages(p somebody) {
	find := func(key, value string) string {
		a, err := m.staff.form("/find", "table", "user", "key", key, "value", value)
		m.note(a, err)
		return a.header.Get("Location")
	}
	find("email", m.mark())
	find("phone", m.mark())
	find("efface_id", m.mark())
	find(m.mark(), m.mark())
	m.note(m.staff.form("/find", "table", m.mark(), "key", "email", "value", m.mark(), "region", m.mark(), m.mark(), m.mark()))
	profile := find("user_id", p.userID)
	if profile == "" {
		profile = "/profiles/" + m.mark()
	}
	m.note(m.staff.send("GET", profile+"?"+m.mark()+"="+m.mark(), nil))
	m.note(m.staff.form(profile+"/delete", "confirm", m.mark(), "reason", m.mark(), "reference", m.mark()))
	m.note(m.staff.form(profile+"/delete", "confirm", m.mark(), "reference", m.mark()+"@"))
	a, err := m.staff.form(profile+"/delete", "confirm", strings.TrimPrefix(profile, "/profiles/"), "reason", m.mark(), "suppress", "yes",
		"seen", m.staff.seen(profile))
	m.note(a, err)
	if request := a.header.Get("Location"); strings.HasPrefix(request, "/requests/") {
		m.note(m.staff.form(request+"/cancel", "confirm", m.mark()))
		m.note(m.staff.send("GET", request, nil))
		m.note(m.staff.form(request+"/cancel", "confirm", strings.TrimPrefix(profile, "/profiles/")))
	}
	for _, path := range []string{"/logs", "/logs.csv", "/logs/rows", "/activity"} {
		m.note(m.staff.send("GET", path+"?q="+m.mark()+"&state="+m.mark()+"&from="+m.mark()+"&cursor="+m.mark(), nil))
		m.note(m.staff.send("GET", path+"?q="+m.mark(), nil))
	}
	m.note(m.staff.form("/account/password", "current", m.mark(), "password", m.mark()))
	m.note(m.staff.form("/settings/keys", "name", m.mark()+"<", "scope", m.mark(), "expires", m.mark()))
	m.note(m.staff.form("/settings/operators", "email", m.mark(), "role", m.mark()))
}

// scripts calls both APIs, well and badly.
func (m *markers) scripts(p somebody) {
	send := func(path string, body any, header ...string) { m.note(m.api("POST", path, body, header...)) }
	send("/api/v1/profiles/find", map[string]string{"key": "email", "value": p.email}, "User-Agent", m.mark(), "Referer", m.mark(), "X-"+m.mark(), m.mark())
	send("/api/v1/profiles/find", map[string]string{"key": m.mark(), "value": m.mark()})
	send("/api/v1/profiles/find", map[string]string{"key": m.mark() + "@", "value": m.mark(), "table": m.mark()})
	send("/api/v1/profiles/find", map[string]string{"key": "phone", "value": p.phone, "region": m.mark()})
	again := m.mark()
	a, err := m.api("POST", "/api/v1/deletions", map[string]string{"key": "email", "value": p.email, "reason": m.mark()}, "Idempotency-Key", again)
	m.note(a, err)
	for range 2 { // the second one is refused
		m.note(m.api("POST", a.header.Get("Location")+"/cancel", nil, "Idempotency-Key", m.mark()))
	}
	send("/api/v1/deletions", map[string]string{"key": "email", "value": p.email, "reason": m.mark()}, "Idempotency-Key", again)
	send("/api/v1/deletions", map[string]string{"key": "user_id", "value": m.mark(), "reference": m.mark() + "!"})
	send("/api/v1/deletions", map[string]any{"key": []string{m.mark()}, "value": 7, m.mark(): m.mark()})
	send("/api/v1/deletions/"+m.mark()+"/cancel", map[string]string{m.mark(): m.mark()})
	send("/user-deletion/", map[string]string{"identify_by_key": "email", "identify_by_value": m.mark(), m.mark(): m.mark()})
	send("/user-deletion/", map[string]string{"identify_by_key": m.mark(), "identify_by_value": m.mark()})
	send("/user-deletion/cancel-request/", map[string]string{"identify_by_key": "phone", "identify_by_value": p.phone})
	send("/user-deletion/cancel-request/", map[string]string{"identify_by_key": "phone", "identify_by_value": p.phone})
	for _, text := range []string{`{"key":"` + m.mark() + `","key":"` + m.mark() + `"}`, `{"` + m.mark(), `["` + m.mark() + `"]` + m.mark(), "\x1f\x8b" + m.mark(), `"\ud800` + m.mark() + `"`} {
		for _, path := range []string{"/api/v1/deletions", "/user-deletion/"} {
			m.note(m.send("POST", path, strings.NewReader(text), "Authorization", "Bearer "+m.key, "X-API-Key", m.key, "Idempotency-Key", m.mark()))
		}
	}
	m.note(m.send("POST", "/api/v1/deletions", packed(strings.Repeat(m.mark(), 100_000)), "Authorization", "Bearer "+m.key))
	m.note(m.api("GET", "/api/v1/deletions?state="+m.mark()+"&q="+m.mark(), nil))
	m.note(m.api("GET", "/api/v1/deletions?q="+m.mark(), nil))
	m.note(m.api("GET", "/api/v1/deletions?cursor="+m.mark()+"&"+m.mark()+"=%zz", nil))
	m.note(m.api("GET", "/api/v1/deletions/"+m.mark(), nil))
}

func packed(text string) io.Reader {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return &b
}

// wrongPlaces asks for what is not there, in ways that are refused.
func (m *markers) wrongPlaces() {
	for _, method := range []string{"GET", "POST", "DELETE", "PROPFIND", m.mark()} {
		for _, path := range []string{"/" + m.mark(), "/profiles/" + m.mark(), "/requests/" + m.mark() + "/cancel", "/link/" + m.mark(), "/find/" + m.mark(),
			"/api/v1/" + m.mark(), "/user-deletion/" + m.mark(), "/static/" + m.mark(), "//" + m.mark() + "/../" + m.mark(), "/%2e%2e/" + m.mark() + "%00", "/login?next=/" + m.mark()} {
			m.note(m.staff.send(method, path+"?"+m.mark(), strings.NewReader(m.mark()+"="+m.mark()), "Content-Type", "application/x-www-form-urlencoded", "Cookie", m.mark()+"="+m.mark()))
		}
	}
	for _, header := range []string{"Authorization", "X-API-Key", "Cookie", "X-Forwarded-For", "Origin", "Sec-Fetch-Site", "Expect", "Content-Encoding", "HX-Request", "Host"} {
		m.note(m.send("POST", "/api/v1/deletions", strings.NewReader(m.mark()), header, m.mark()))
		m.note(m.send("POST", "/user-deletion/", strings.NewReader(m.mark()), header, "Bearer "+m.mark()))
		m.note(m.staff.send("POST", "/find", strings.NewReader("value="+m.mark()), header, m.mark(), "Content-Type", "multipart/form-data; boundary="+m.mark()))
	}
	m.note(m.staff.form("/find", "value", strings.Repeat(m.mark(), 10_000)))
	m.note(m.staff.form("/find", "value", m.mark()+"\xff\x00"))
}

const markersStaff = "staff@example.net"

func (m *markers) enter() {
	m.note(m.staff.form("/login", "email", markersStaff, "password", staffPassword))
}

// signInTries tries passwords until it is slowed down.
func (m *markers) signInTries() {
	email := m.mark() + "@example.com"
	for range 8 {
		m.note(m.staff.form("/login", "email", email, "password", m.mark(), "next", "/"+m.mark()))
	}
}

// connections speaks no HTTP, or breaks off.
func (m *markers) connections() {
	m.t.Helper()
	for _, text := range []string{
		m.mark() + "\r\n\r\n",
		"GET /" + m.mark() + " HTTP/9." + m.mark() + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: " + m.mark() + "\r\n" + m.mark() + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat(m.mark(), 3000) + "\r\n\r\n",
		"GET /?a;" + m.mark() + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		"POST /login HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: " + m.mark() + "\r\n\r\n",
		"POST /login HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + m.mark() + "\r\n",
		"POST /user-deletion/ HTTP/1.1\r\nHost: h\r\nX-API-Key: " + m.key + "\r\nContent-Length: 1000\r\n\r\n{\"" + m.mark(),
		"\x16\x03\x01\x02\x00\x01" + m.mark(),
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(m.base, "http://"))
		if err != nil {
			m.t.Fatal(err)
		}
		io.WriteString(conn, text)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn) // until the server has had enough
		conn.Close()
	}
}

// breakStore takes tables away, so that what needs them fails inside.
func (m *markers) breakStore(tables ...string) {
	m.t.Helper()
	db, err := sql.Open(seal.Driver, seal.DSN(filepath.Join(m.data, "efface.db"), seal.DSNOptions{}))
	if err != nil {
		m.t.Fatal(err)
	}
	defer db.Close()
	for _, table := range tables {
		if _, err := db.Exec(fmt.Sprintf("ALTER TABLE %s RENAME TO gone_%s", table, table)); err != nil {
			m.t.Fatal(err)
		}
	}
}

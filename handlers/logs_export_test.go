package handlers

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
)

// Where the log is taken away stands what for, and what verifies it.
func TestAuditorsFindTheLogsExportAndItsKey(t *testing.T) {
	st := newSite(t)
	st.requested(st.person("email", "ann@example.com"))
	for _, role := range []erasure.Role{erasure.Admin, erasure.Auditor} {
		b := st.signedIn(role)
		for _, path := range []string{"/logs", "/activity"} {
			a := b.get(path)
			if a.find("main a[href='/logs/export']").Length() != 1 || a.find("#log-key").Text() != st.db.LogKey() {
				t.Errorf("%s lacks the export or its key for the role %s", path, role)
			}
		}
	}
	a := st.signedIn(erasure.Staff).get("/logs")
	if a.find("a[href='/logs/export'], #log-key").Length() != 0 || !strings.Contains(a.find("main").Text(), "compare the CSV with it") {
		t.Error("staff are offered the export, or not told what the checkpoint is for")
	}
	b := st.signedIn(erasure.Auditor)
	file := b.get("/logs/export").want(http.StatusOK)
	size := strconv.Itoa(strings.Count(file.body, "\n") - 1)
	if name := file.header.Get("Content-Disposition"); name != `attachment; filename="efface-log-`+size+`-2026-03-01.jsonl"` {
		t.Errorf("the export of %s entries is named %s", size, name)
	}
	if c := st.signedIn(erasure.Staff).get("/logs/checkpoint").want(http.StatusOK).body; strings.Contains(c, "\n"+size+"\n") {
		t.Errorf("the checkpoint does not cover what was done since: %s", c)
	}
}

// torn is the way to a client that has gone.
type torn struct{ http.ResponseWriter }

func (torn) Write([]byte) (int, error) {
	return 0, errors.New("write tcp 192.0.2.1:443->192.0.2.7:5000: broken pipe")
}

func (w torn) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestAClientThatGoesIsNotLoggedByItsAddress(t *testing.T) {
	st := newSite(t)
	for path, handle := range map[string]handlerFunc{
		"/torn/export": st.server.exportLog, "/torn/checkpoint": st.server.downloadCheckpoint, "/torn/entry/{index}": st.server.downloadEntry,
	} {
		st.server.add(route{"GET", path, signedIn, noBody, false, func(w http.ResponseWriter, r *http.Request) error {
			return handle(torn{w}, r)
		}})
	}
	b := st.signedIn(erasure.Auditor)
	for _, path := range []string{"/torn/export", "/torn/checkpoint", "/torn/entry/0"} {
		res, err := b.client.Get(st.url + path)
		if err == nil {
			_, err = io.ReadAll(res.Body)
			res.Body.Close()
		}
		if path == "/torn/export" && err == nil {
			t.Error("the client takes nothing for the whole log")
		}
	}
	if log := st.log.String(); !strings.Contains(log, "route=/torn/entry/{index}") || strings.Contains(log, "192.0.2") || strings.Contains(log, "level=ERROR") {
		t.Errorf("the log says %s", log)
	}
}

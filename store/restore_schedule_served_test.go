package store_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// served is somebody with every right who looks at a store in a browser, and a
// script.
type served struct {
	*testing.T
	client *http.Client
	base   string
	token  string
}

// serve serves the store until done is called.
func (s *schedule) serve() (look served, done func()) {
	s.Helper()
	front := httptest.NewUnstartedServer(nil)
	base := "http://" + front.Listener.Addr().String()
	server, err := handlers.New(s.db, handlers.Config{BaseURL: base, Logger: slog.New(slog.DiscardHandler)})
	must(s.T, err)
	front.Config.Handler = server.Handler()
	front.Start()
	jar, err := cookiejar.New(nil)
	must(s.T, err)
	look = served{T: s.T, base: base, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	o, err := s.db.CreateOperator(s.Context(), erasure.Terminal, store.NewOperator{Email: uuid.NewString() + ".looks@example.com", Role: erasure.Admin})
	must(s.T, err)
	link, _, err := s.db.NewLink(s.Context(), erasure.Terminal, store.SignInLink, o.ID)
	must(s.T, err)
	if status, _ := look.at("POST", "/link/"+link, ""); status != http.StatusSeeOther {
		s.Fatalf("signing in answers %d", status)
	}
	look.token, _, err = s.db.CreateKey(s.Context(), erasure.Terminal, store.NewKey{Name: uuid.NewString(), Scopes: []erasure.Scope{erasure.ScopeProfilesRead}})
	must(s.T, err)
	return look, front.Close
}

func (l served) at(method, path, body string) (status int, text string) {
	l.Helper()
	r, err := http.NewRequestWithContext(l.Context(), method, l.base+path, strings.NewReader(body))
	must(l.T, err)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(path, "/api/") {
		r.Header.Set("Authorization", "Bearer "+l.token)
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := l.client.Do(r)
	must(l.T, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(l.T, err)
	return res.StatusCode, string(b)
}

// checkServed looks for everybody who was erased on pages, by the API and in
// exports, and there for one who is alive.
func (s *schedule) checkServed() {
	s.Helper()
	look, done := s.serve()
	defer done()
	alive := s.idsOfAlive()
	for name := range s.erased {
		if look.finds("email", name+"@example.com") || look.finds("anonymous_id", name) {
			s.Errorf("%s was erased, and a page or the API finds them", name)
		}
		for _, id := range s.ids[name] {
			if slices.Contains(alive, id) { // who was one with them in another backup
				continue
			}
			for _, path := range []string{"/profiles/%s", "/profiles/%s/data.json", "/profiles/%s/delete"} {
				if status, text := look.at("GET", fmt.Sprintf(path, id), ""); status != http.StatusNotFound || strings.Contains(text, name+"@") {
					s.Errorf("%s was erased, and "+path+" answers %d", name, id, status)
				}
			}
		}
	}
	for name := range s.alive {
		if !look.finds("email", name+"@example.com") || !look.finds("anonymous_id", name) {
			s.Errorf("%s is alive, and a page or the API does not find them", name)
		}
	}
	paths := []string{"/logs", "/logs.csv", "/logs/export", "/activity"}
	for id, is := range s.requests {
		if is == erasure.Completed {
			paths = append(paths, "/requests/"+id.String())
		}
	}
	for _, path := range paths {
		status, text := look.at("GET", path, "")
		if status != http.StatusOK {
			s.Errorf("%s answers %d", path, status)
		}
		for name := range s.erased {
			if strings.Contains(text, name+"@") {
				s.Errorf("%s was erased, and %s shows their address", name, path)
			}
		}
	}
}

// finds reports whether a page finds somebody, who must be found by the API then.
func (l served) finds(key, value string) bool {
	l.Helper()
	status, _ := l.at("POST", "/find", url.Values{"key": {key}, "value": {value}}.Encode())
	_, text := l.at("POST", "/api/v1/profiles/find", fmt.Sprintf(`{"key":%q,"value":%q}`, key, value))
	byPage, byAPI := status == http.StatusSeeOther, strings.TrimSpace(text) != `{"profiles":[]}`
	if byPage != byAPI {
		l.Errorf("the page answers %d for %s, and the API %s", status, value, text)
	}
	return byPage
}

func (s *schedule) idsOfAlive() (all []uuid.UUID) {
	for name := range s.alive {
		all = append(all, *s.find(name))
	}
	return all
}

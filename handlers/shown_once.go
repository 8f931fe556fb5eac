package handlers

import (
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/views"
)

// shown is what the page after a redirect shows once: what was done, and a
// secret that nothing can show again.
type shown struct {
	notice    string
	confirmed bool // a deletion was just requested
	key       *views.MadeKey
	link      *views.OneTimeLink

	path string
	at   time.Time
}

// shownOnce keeps it between a form and the page that the form leads to. It is
// kept in memory alone: a secret must reach no file.
type shownOnce struct {
	mu sync.Mutex
	by map[uuid.UUID]shown // one for each session
}

// A browser that does not follow the redirect by then loses it.
const shownFor = time.Minute

func (o *shownOnce) put(session uuid.UUID, it shown) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, old := range o.by {
		if time.Since(old.at) > shownFor {
			delete(o.by, id)
		}
	}
	if o.by == nil {
		o.by = map[uuid.UUID]shown{}
	}
	it.at = time.Now()
	o.by[session] = it
}

func (o *shownOnce) take(session uuid.UUID, path string) shown {
	o.mu.Lock()
	defer o.mu.Unlock()
	it := o.by[session]
	if it.path != path || time.Since(it.at) > shownFor {
		return shown{}
	}
	delete(o.by, session)
	return it
}

// done answers a form with the page at path, which shows it once.
func (s *Server) done(w http.ResponseWriter, r *http.Request, path string, it shown) error {
	it.path = path
	s.shown.put(session(r).ID, it)
	return seeOther(w, r, path)
}

// shownPage is [Server.page] with what the form before left to be shown.
func (s *Server) shownPage(r *http.Request) (views.Page, shown) {
	p := s.page(r)
	it := s.shown.take(session(r).ID, r.URL.Path)
	p.Notice = it.notice
	return p, it
}

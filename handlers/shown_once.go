package handlers

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/views"
)

// shown is what the page after a redirect shows once: what was done, and a
// secret that nothing can show again.
type shown struct {
	notice    string
	note      bool // the notice is only to know
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
	by map[uuid.UUID][]shown // by session, oldest first
}

// A browser that does not follow the redirect by then loses it.
const shownFor = time.Minute

// put replaces what the same page has not shown yet, but for a key: of one-time
// links only the newest is valid, while every key made must be seen.
func (o *shownOnce) put(session uuid.UUID, it shown) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, kept := range o.by {
		if kept = slices.DeleteFunc(kept, shown.over); len(kept) == 0 {
			delete(o.by, id)
		} else {
			o.by[id] = kept
		}
	}
	if o.by == nil {
		o.by = map[uuid.UUID][]shown{}
	}
	it.at = time.Now()
	kept := slices.DeleteFunc(o.by[session], func(old shown) bool { return old.path == it.path && old.key == nil })
	o.by[session] = append(kept, it)
}

func (it shown) over() bool { return time.Since(it.at) > shownFor }

func (o *shownOnce) take(session uuid.UUID, path string) shown {
	o.mu.Lock()
	defer o.mu.Unlock()
	kept := o.by[session]
	i := slices.IndexFunc(kept, func(it shown) bool { return it.path == path && !it.over() })
	if i < 0 {
		return shown{}
	}
	it := kept[i]
	o.by[session] = slices.Delete(kept, i, i+1)
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
	if r.Method != http.MethodGet {
		return p, shown{} // a form that is shown again is not the page that another led to
	}
	it := s.shown.take(session(r).ID, r.URL.Path)
	p.Notice, p.Note = it.notice, it.note
	return p, it
}

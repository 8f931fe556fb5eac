package handlers

import (
	"errors"
	"net/http"

	"github.com/efface/efface/store"
	"github.com/efface/efface/views"
)

// showStatus shows how the server and its store stand. What can't be reached is
// a line of the page, for that is what it is opened for.
func (s *Server) showStatus(w http.ResponseWriter, r *http.Request) error {
	o := s.db.Options()
	page := views.StatusPage{
		Program: o.Program, Keyring: o.Keyring, TestPersons: s.config.TestPersons,
		Uptime: o.Clock.Now().Boottime - s.began,
	}
	if err := s.db.Reach(r.Context()); err != nil {
		visitOf(r).failure = err
		page.Unreachable = unreachable(err)
	}
	var err error
	if page.Gauges, err = s.db.Gauges(r.Context()); err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.Status(s.page(r), page))
}

// unreachable is what of the store can't be read or written.
func unreachable(err error) views.Part {
	switch {
	case errors.Is(err, store.ErrWitness):
		return views.WitnessPart
	case errors.Is(err, store.ErrKeyring):
		return views.KeyringPart
	}
	return views.DatabasePart
}

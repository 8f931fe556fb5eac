package handlers

import (
	"errors"
	"io/fs"
	"net/http"
	"os"

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
	_, err := os.Stat(o.Witness)
	page.WitnessGone = errors.Is(err, fs.ErrNotExist)
	if page.Gauges, err = s.db.Gauges(r.Context()); err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.Status(s.page(r), page))
}

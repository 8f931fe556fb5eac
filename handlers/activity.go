package handlers

import (
	"net/http"
	"net/url"

	"github.com/efface/efface/views"
)

// showActivity lists the deletion log: who did what, and about whom for as
// long as that person exists.
func (s *Server) showActivity(w http.ResponseWriter, r *http.Request) error {
	entries, next, err := s.db.Activity(r.Context(), r.URL.Query().Get("cursor"), rowsPerPage)
	if err != nil {
		return err
	}
	if next != "" {
		next = "/activity?cursor=" + url.QueryEscape(next)
	}
	return render(w, r, http.StatusOK, views.Activity(s.page(r), entries, next, s.db.LogKey()))
}

package handlers

import (
	"net/http"

	"github.com/efface/efface/views"
)

// showSettings shows the flags that the server was started with. They are
// changed where it is started.
func (s *Server) showSettings(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusOK, views.Settings(s.page(r), s.config.Settings, s.db.LogKey()))
}

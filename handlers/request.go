package handlers

import (
	"net/http"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

var errNoRequest = erasure.Errorf(erasure.CodeNotFound, "Check the id: there is no such deletion request in the Deletion Logs.")

func requestPath(id erasure.RequestID) string { return "/requests/" + id.String() }

// pathRequest reads the request that the path names, sealed parts left closed.
func (s *Server) pathRequest(r *http.Request) (erasure.Request, error) {
	id, ok := erasure.ParseRequestID(r.PathValue("id"))
	if !ok {
		return erasure.Request{}, errNoRequest
	}
	request, err := s.db.Request(r.Context(), id)
	if erasure.CodeOf(err) == erasure.CodeNotFound {
		return request, errNoRequest
	}
	return request, err
}

// showRequest opens the identifier asked for and the reason for staff alone,
// and that is a look at the person.
func (s *Server) showRequest(w http.ResponseWriter, r *http.Request) error {
	request, err := s.pathRequest(r)
	if err != nil {
		return err
	}
	if staff.permits(operator(r).Role) {
		if request, err = s.db.RequestDetails(r.Context(), actor(r), request.ID); err != nil {
			return err
		}
	}
	p, it := s.shownPage(r)
	return render(w, r, http.StatusOK, views.Request(p, request, it.confirmed))
}

package handlers

import (
	"net/http"
	"net/url"

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
	page, _, err := s.polledRequest(r, views.RequestPage{Request: request, Confirmed: it.confirmed})
	if err != nil {
		return err
	}
	suppressed, asked, err := s.db.SuppressedSince(r.Context(), request)
	if err != nil {
		return err
	}
	if page.Suppresses = asked; asked && !request.StartedAt.IsZero() {
		page.Suppressed = &suppressed
	}
	return render(w, r, http.StatusOK, views.Request(p, page))
}

// pollRequest answers the poll of a request's page. It opens nothing of it, so
// it is no look at anybody.
func (s *Server) pollRequest(w http.ResponseWriter, r *http.Request) error {
	request, err := s.pathRequest(r)
	if err != nil {
		return err
	}
	page, version, err := s.polledRequest(r, views.RequestPage{Request: request})
	if err != nil {
		return err
	}
	query := r.URL.Query()
	if version == query.Get("v") {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	page.Polled, page.Turned = true, query.Get("state") != string(request.State)
	return render(w, r, http.StatusOK, views.RequestProgress(s.page(r), page))
}

// polledRequest gives a page its poll, if there is something to wait for.
func (s *Server) polledRequest(r *http.Request, page views.RequestPage) (views.RequestPage, string, error) {
	request := page.Request
	var err error
	if page.HeldUp, err = s.db.HeldUp(r.Context(), request); err != nil {
		return page, "", err
	}
	if page.Entries, err = s.db.RequestEntries(r.Context(), request.ID); err != nil {
		return page, "", err
	}
	version, err := drawn(r.Context(), views.RequestProgress(s.page(r),
		views.RequestPage{Request: request, HeldUp: page.HeldUp, Entries: page.Entries, Polled: true}))
	if err != nil {
		return page, "", err
	}
	if page.Every = pollEvery([]erasure.Request{request}); page.Every > 0 {
		page.Poll = requestPath(request.ID) + "/progress?" + url.Values{"state": {string(request.State)}, "v": {version}}.Encode()
	}
	return page, version, nil
}

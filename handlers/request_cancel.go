package handlers

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

func (s *Server) showCancel(w http.ResponseWriter, r *http.Request) error {
	request, err := s.pathRequest(r)
	if err != nil {
		return err
	}
	if !request.Cancellable {
		return s.refuseCancel(w, r, request)
	}
	return s.askCancel(w, r, http.StatusOK, request, views.CancelForm{})
}

// askCancel opens whose request it is, by the profile's identifiers or by the
// one asked for where nobody is known: each time, that is a look and logged as
// one.
func (s *Server) askCancel(w http.ResponseWriter, r *http.Request, status int, request erasure.Request, form views.CancelForm) error {
	if request.EffaceID == nil {
		request, err := s.db.RequestDetails(r.Context(), actor(r), request.ID)
		if err != nil {
			return err
		}
		return s.renderCancel(w, r, status, request, form)
	}
	found, err := s.db.Profiles(r.Context(), actor(r), []uuid.UUID{*request.EffaceID})
	if err != nil {
		return err
	}
	if len(found) == 0 { // claimed meanwhile
		if request, err = s.pathRequest(r); err != nil {
			return err
		}
		return s.refuseCancel(w, r, request)
	}
	form.Profile = &found[0]
	return s.renderCancel(w, r, status, request, form)
}

func (s *Server) renderCancel(w http.ResponseWriter, r *http.Request, status int, request erasure.Request, form views.CancelForm) error {
	form.Kept = s.config.KeepCancelled
	return render(w, r, status, views.RequestCancel(s.page(r), request, form))
}

// refuseCancel says why a request can't be cancelled, which one of it is still
// pending does not change.
func (s *Server) refuseCancel(w http.ResponseWriter, r *http.Request, request erasure.Request) error {
	sentence := "The cancel window has passed: this request can no longer be cancelled, follow it in the Deletion Logs."
	switch request.State {
	case erasure.Cancelled:
		sentence = "This request was cancelled before: nothing is left to do."
	case erasure.Completed:
		sentence = "This request is completed: what was erased cannot be brought back."
	}
	return s.renderCancel(w, r, http.StatusConflict, request, views.CancelForm{
		Problems: views.Problems{erasure.Errorf(erasure.CodeConflict, "%s", sentence)},
	})
}

// cancel ends a pending request, confirmed as it was asked for: by the User
// ID, or by its own id where nobody is known for its identifier.
func (s *Server) cancel(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	request, err := s.pathRequest(r)
	if err != nil {
		return err
	}
	if !request.Cancellable {
		return s.refuseCancel(w, r, request)
	}
	form := views.CancelForm{Confirm: r.PostForm.Get("confirm")}
	if err := s.matchCancel(r, request, form.Confirm); err != nil {
		ps, ok := problems(err)
		if !ok {
			return err
		}
		form.Problems = ps
		return s.askCancel(w, r, http.StatusUnprocessableEntity, request, form)
	}
	_, err = s.db.Cancel(r.Context(), request.ID, actor(r), erasure.Console)
	switch erasure.CodeOf(err) {
	case erasure.CodeTooLate, erasure.CodeNotPending:
		if request, err = s.pathRequest(r); err != nil {
			return err
		}
		return s.refuseCancel(w, r, request)
	}
	if err != nil {
		return err
	}
	return s.done(w, r, requestPath(request.ID), shown{notice: "The request is cancelled: nothing was erased."})
}

func (s *Server) matchCancel(r *http.Request, request erasure.Request, pasted string) error {
	if request.EffaceID == nil {
		return erasure.MatchRequestPaste(pasted, request.ID)
	}
	profile, err := s.db.PeekProfile(r.Context(), *request.EffaceID)
	if erasure.CodeOf(err) == erasure.CodeNotFound { // claimed meanwhile, which the cancel will say
		return erasure.MatchPaste(pasted, *request.EffaceID, nil)
	}
	if err != nil {
		return err
	}
	return erasure.MatchPaste(pasted, profile.EffaceID, profile.Former)
}

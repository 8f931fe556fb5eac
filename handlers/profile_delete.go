package handlers

import (
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

const (
	openNotice     = "The deletion of this profile is requested already: this is the request."
	mergedSentence = "This profile was merged with another one meanwhile: check what will go now, and paste its present User ID."
)

// showDeletion shows what will go, and asks for the User ID.
func (s *Server) showDeletion(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	profile, err := s.peek(r, id)
	if err != nil {
		return err
	}
	if profile.EffaceID != id {
		return s.done(w, r, profilePath(profile.EffaceID), shown{notice: formerNotice, note: true})
	}
	if profile.Open != nil {
		return s.done(w, r, requestPath(profile.Open.ID), shown{notice: openNotice, note: true})
	}
	return s.renderDeletion(w, r, http.StatusOK, id, views.DeleteForm{Suppress: s.config.Suppress})
}

// renderDeletion opens the profile's identifiers, so that whose it is can be
// checked on the page that asks to: each time, that is a look and logged as one.
// Where somebody was shown it before, what is new since is marked.
func (s *Server) renderDeletion(w http.ResponseWriter, r *http.Request, status int, id uuid.UUID, form views.DeleteForm) error {
	profile, err := s.db.ProfileSince(r.Context(), actor(r), id, form.Seen)
	if err != nil {
		return s.gone(r, id, err)
	}
	if form.Seen == "" || status == http.StatusConflict {
		form.Seen = profile.Seen
	}
	form.Window, form.Kept = s.config.CancelWindow, s.config.SuppressFor
	p, _ := s.shownPage(r)
	return render(w, r, status, views.ProfileDelete(p, profile, form))
}

// requestDeletion changes nothing unless the profile's own User ID was pasted.
func (s *Server) requestDeletion(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	form := deleteForm(r)
	profile, err := s.peek(r, id)
	if err != nil {
		return err
	}
	if profile.EffaceID != id {
		return s.refuseMerged(w, r, id, form)
	}
	form.Problems = deletionProblems(form, profile)
	if form.Problems != nil && profile.Open != nil {
		return s.done(w, r, requestPath(profile.Open.ID), shown{notice: openNotice, note: true})
	}
	if form.Problems != nil {
		return s.renderDeletion(w, r, http.StatusUnprocessableEntity, profile.EffaceID, form)
	}
	return s.ask(w, r, profile, form)
}

func deleteForm(r *http.Request) views.DeleteForm {
	return views.DeleteForm{
		Confirm: r.PostForm.Get("confirm"),
		// A browser counts a line break as one character and sends two.
		Reason:    strings.ReplaceAll(r.PostForm.Get("reason"), "\r\n", "\n"),
		Reference: erasure.CleanPaste(r.PostForm.Get("reference")),
		Suppress:  r.PostForm.Get("suppress") == "yes",
		Seen:      r.PostForm.Get("seen"),
	}
}

// deletionProblems lists what is wrong with a form, in the page's order.
func deletionProblems(form views.DeleteForm, profile erasure.Profile) (ps views.Problems) {
	for _, err := range []error{
		erasure.CheckReference(form.Reference),
		erasure.MatchPaste(form.Confirm, profile.EffaceID, profile.Former),
	} {
		var wrong *erasure.Error
		if errors.As(err, &wrong) {
			ps = append(ps, wrong)
		}
	}
	return ps
}

// ask makes the request. A double click and a form sent again find the request
// that the first one made.
func (s *Server) ask(w http.ResponseWriter, r *http.Request, profile erasure.Profile, form views.DeleteForm) error {
	request, created, err := s.db.RequestErasure(r.Context(), erasure.NewRequest{
		EffaceID: &profile.EffaceID, Origin: erasure.Console, Actor: actor(r),
		Reason: form.Reason, Reference: form.Reference, Suppress: form.Suppress, Seen: &form.Seen,
	})
	switch erasure.CodeOf(err) {
	case erasure.CodeConflict:
		if ps, ok := problems(err); ok && ps[0].Field == "seen" {
			return s.refuseGrown(w, r, profile.EffaceID, form, ps)
		}
		return s.refuseMerged(w, r, profile.EffaceID, form)
	case erasure.CodeNotFound:
		return s.gone(r, profile.EffaceID, err)
	case erasure.CodeInvalid:
		form.Problems, _ = problems(err)
		return s.renderDeletion(w, r, http.StatusUnprocessableEntity, profile.EffaceID, form)
	}
	if err != nil {
		return err
	}
	it := shown{confirmed: request.Actor == actor(r)}
	if created {
		s.config.Wake()
	} else {
		it.notice = openNotice
	}
	return s.done(w, r, requestPath(request.ID), it)
}

// refuseGrown shows what will go by now, and what of it is new. All that was
// typed is kept.
func (s *Server) refuseGrown(w http.ResponseWriter, r *http.Request, id uuid.UUID, form views.DeleteForm, grown views.Problems) error {
	form.Problems = grown
	return s.renderDeletion(w, r, http.StatusConflict, id, form)
}

// refuseMerged shows the form of the profile that the one asked for was merged
// into: what was typed is kept, and whom it is about is to be checked anew.
func (s *Server) refuseMerged(w http.ResponseWriter, r *http.Request, id uuid.UUID, form views.DeleteForm) error {
	form.Confirm, form.Seen = "", ""
	form.Problems = views.Problems{erasure.Errorf(erasure.CodeConflict, mergedSentence).In("confirm")}
	return s.renderDeletion(w, r, http.StatusConflict, id, form)
}

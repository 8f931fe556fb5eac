package handlers

import (
	"net/http"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

// showLink shows what a one-time link is for. Programs that fetch every link
// they see must not use it up, so only its form does.
func (s *Server) showLink(w http.ResponseWriter, r *http.Request) error {
	form, err := s.linkForm(r)
	if err != nil {
		return s.linkGone(w, r, err)
	}
	return render(w, r, http.StatusOK, views.Link(s.page(r), form))
}

// linkGone says of a link that opens nothing how to come by another.
func (s *Server) linkGone(w http.ResponseWriter, r *http.Request, err error) error {
	if erasure.CodeOf(err) != erasure.CodeNotFound {
		return err
	}
	empty, err := s.db.Empty(r.Context())
	if err != nil {
		return err
	}
	return render(w, r, http.StatusNotFound, views.LinkGone(s.page(r), http.StatusNotFound, empty, visitOf(r).reference))
}

func (s *Server) linkForm(r *http.Request) (views.LinkForm, error) {
	l, err := s.db.LinkByToken(r.Context(), r.PathValue("token"))
	return views.LinkForm{
		Action:      r.URL.EscapedPath(),
		Email:       l.Operator.Email,
		AskEmail:    l.Purpose == store.SetupLink,
		AskPassword: l.Purpose != store.SignInLink,
	}, err
}

func (s *Server) useLink(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form, err := s.linkForm(r)
	if err != nil {
		return s.linkGone(w, r, err)
	}
	if form.AskEmail {
		form.Email = r.PostForm.Get("email")
	}
	token, _, err := s.db.UseLink(r.Context(), r.PathValue("token"), form.Email, r.PostForm.Get("password"))
	if ps, ok := problems(err); ok {
		form.Problems = ps
		return render(w, r, http.StatusUnprocessableEntity, views.Link(s.page(r), form))
	}
	if err != nil {
		return s.linkGone(w, r, err)
	}
	return s.enter(w, r, token, "")
}

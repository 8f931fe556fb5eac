package handlers

import (
	"net/http"

	"github.com/efface/efface/views"
)

func (s *Server) showAccount(w http.ResponseWriter, r *http.Request) error {
	return s.renderAccount(w, r, http.StatusOK, views.PasswordForm{})
}

func (s *Server) renderAccount(w http.ResponseWriter, r *http.Request, status int, form views.PasswordForm) error {
	sessions, err := s.db.Sessions(r.Context(), operator(r).ID, session(r).ID)
	if err != nil {
		return err
	}
	p, _ := s.shownPage(r)
	return render(w, r, status, views.Account(p, sessions, form))
}

type passwordInput struct {
	Current  string `form:"current" validate:"required"`
	Password string `form:"password" validate:"required"`
}

// changePassword ends every session and begins a new one here.
func (s *Server) changePassword(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	in := passwordInput{r.PostForm.Get("current"), r.PostForm.Get("password")}
	if ps := check(in); ps != nil {
		return s.renderAccount(w, r, http.StatusUnprocessableEntity, views.PasswordForm{Problems: ps})
	}
	token, err := s.db.ChangePassword(r.Context(), operator(r).ID, in.Current, in.Password, s.clientAddress(r))
	if ps, ok := problems(err); ok {
		return s.renderAccount(w, r, http.StatusUnprocessableEntity, views.PasswordForm{Problems: ps})
	}
	if err != nil {
		return err
	}
	if err := s.setSession(w, r, token); err != nil {
		return err
	}
	next, err := s.db.SessionByToken(r.Context(), token, false)
	if err != nil {
		return err
	}
	visitOf(r).session = &next
	return s.done(w, r, "/account", shown{notice: "The password is changed and every other session has ended."})
}

// endSession ends one of the operator's own sessions, possibly this one.
func (s *Server) endSession(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	if err := s.db.EndSession(r.Context(), operator(r).ID, id); err != nil {
		return err
	}
	return s.done(w, r, "/account", shown{notice: "The session has ended."})
}

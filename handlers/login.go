package handlers

import (
	"net/http"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusOK, views.Login(s.page(r), views.LoginForm{Next: s.nextOf(r)}))
}

type loginInput struct {
	Email    string `form:"email" validate:"required,max=1024"`
	Password string `form:"password" validate:"required"`
}

// login answers an unknown account and a wrong password alike, in as much
// time: [store.DB.SignIn] does the same work for both.
func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	in := loginInput{Email: r.PostForm.Get("email"), Password: r.PostForm.Get("password")}
	form := views.LoginForm{Email: in.Email, Next: s.localPath(r.PostForm.Get("next"))}
	if form.Problems = check(in); form.Problems != nil {
		return render(w, r, http.StatusUnprocessableEntity, views.Login(s.page(r), form))
	}
	token, _, err := s.db.SignIn(r.Context(), in.Email, in.Password, s.clientAddress(r))
	if erasure.CodeOf(err) == erasure.CodeUnauthorized {
		a, _ := classify(err)
		form.Problems = views.Problems{erasure.Errorf(erasure.CodeUnauthorized, "%s", a.sentence)}
		return render(w, r, http.StatusUnauthorized, views.Login(s.page(r), form))
	}
	if err != nil {
		return err
	}
	return s.enter(w, r, token, form.Next)
}

// enter goes on to the page that asked for the sign-in.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, token, next string) error {
	if err := s.setSession(w, r, token); err != nil {
		return err
	}
	http.SetCookie(w, s.nextCookie("", -1))
	if next == "" {
		next = "/"
	}
	return seeOther(w, r, next)
}

// logout ends all of the operator's sessions, on every device.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	if err := s.db.SignOut(r.Context(), operator(r).ID); err != nil {
		return err
	}
	if err := s.dropSession(w, r); err != nil {
		return err
	}
	return seeOther(w, r, "/login")
}

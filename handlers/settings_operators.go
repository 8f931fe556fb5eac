package handlers

import (
	"net/http"
	"strings"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

func (s *Server) showOperators(w http.ResponseWriter, r *http.Request) error {
	return s.renderOperators(w, r, http.StatusOK, views.OperatorForm{})
}

func (s *Server) renderOperators(w http.ResponseWriter, r *http.Request, status int, form views.OperatorForm) error {
	operators, err := s.db.Operators(r.Context())
	if err != nil {
		return err
	}
	p, it := s.shownPage(r)
	return render(w, r, status, views.Operators(p, operators, form, it.link))
}

type operatorInput struct {
	Email string       `form:"email" validate:"required,max=320"`
	Role  erasure.Role `form:"role" validate:"oneof=admin operator auditor"`
}

func (s *Server) createOperator(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	in := operatorInput{strings.TrimSpace(r.PostForm.Get("email")), erasure.Role(r.PostForm.Get("role"))}
	form := views.OperatorForm{Email: in.Email, Role: in.Role, Problems: check(in)}
	if form.Problems != nil {
		return s.renderOperators(w, r, http.StatusUnprocessableEntity, form)
	}
	o, err := s.db.CreateOperator(r.Context(), actor(r), store.NewOperator{Email: in.Email, Role: in.Role})
	if ps, ok := problems(err); ok {
		form.Problems = ps
		return s.renderOperators(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	return s.handOver(w, r, o, "/settings/operators")
}

// handOver makes a link for an operator and shows it once, to be handed over
// by whatever way the company trusts.
func (s *Server) handOver(w http.ResponseWriter, r *http.Request, o erasure.Operator, path string) error {
	token, until, err := s.db.NewLink(r.Context(), actor(r), store.PasswordLink, o.ID)
	if err != nil {
		return err
	}
	return s.done(w, r, path, shown{link: &views.OneTimeLink{
		Email: o.Email, URL: s.config.BaseURL + "/link/" + token, Until: until,
	}})
}

func (s *Server) showOperator(w http.ResponseWriter, r *http.Request) error {
	o, err := s.pathOperator(r)
	if err != nil {
		return err
	}
	return s.renderOperator(w, r, http.StatusOK, o, nil)
}

func (s *Server) renderOperator(w http.ResponseWriter, r *http.Request, status int, o erasure.Operator, ps views.Problems) error {
	p, it := s.shownPage(r)
	return render(w, r, status, views.Operator(p, o, ps, it.link))
}

func (s *Server) pathOperator(r *http.Request) (erasure.Operator, error) {
	id, err := pathID(r)
	if err != nil {
		return erasure.Operator{}, err
	}
	return s.db.Operator(r.Context(), id)
}

type roleInput struct {
	Role erasure.Role `form:"role" validate:"oneof=admin operator auditor"`
}

func (s *Server) setRole(w http.ResponseWriter, r *http.Request) error {
	return s.changeOperator(w, r, func(o erasure.Operator) (notice string, ps views.Problems, err error) {
		in := roleInput{erasure.Role(r.PostForm.Get("role"))}
		if ps := check(in); ps != nil {
			return "", ps, nil
		}
		notice = "The role is now " + string(in.Role) + ", and all sessions of this operator have ended."
		if o.Role == in.Role {
			notice = "The role is " + string(in.Role) + " already; nothing is changed."
		}
		return notice, nil, s.db.SetRole(r.Context(), actor(r), o.ID, in.Role)
	})
}

type disabledInput struct {
	Disabled string `form:"disabled" validate:"oneof=yes no"`
}

func (s *Server) setDisabled(w http.ResponseWriter, r *http.Request) error {
	return s.changeOperator(w, r, func(o erasure.Operator) (notice string, ps views.Problems, err error) {
		in := disabledInput{r.PostForm.Get("disabled")}
		if ps := check(in); ps != nil {
			return "", ps, nil
		}
		notice = "The account is enabled."
		if in.Disabled == "yes" {
			notice = "The account is disabled, and all its sessions and one-time links have ended."
		}
		return notice, nil, s.db.SetDisabled(r.Context(), actor(r), o.ID, in.Disabled == "yes")
	})
}

// changeOperator is what the forms of an operator's page have in common.
// change returns the notice of what it did.
func (s *Server) changeOperator(w http.ResponseWriter, r *http.Request, change func(erasure.Operator) (string, views.Problems, error)) error {
	if err := parseForm(r); err != nil {
		return err
	}
	o, err := s.pathOperator(r)
	if err != nil {
		return err
	}
	notice, ps, err := change(o)
	if ps == nil {
		ps, _ = problems(err)
	}
	if ps != nil {
		return s.renderOperator(w, r, http.StatusUnprocessableEntity, o, ps)
	}
	if err != nil {
		return err
	}
	return s.done(w, r, "/settings/operators/"+o.ID.String(), shown{notice: notice})
}

func (s *Server) resetPassword(w http.ResponseWriter, r *http.Request) error {
	o, err := s.pathOperator(r)
	if err != nil {
		return err
	}
	return s.handOver(w, r, o, "/settings/operators/"+o.ID.String())
}

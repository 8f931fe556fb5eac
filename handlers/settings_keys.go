package handlers

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

// showKeys writes first when keys were used, so that whoever has just tried one
// sees it. Where that fails the page is a minute behind.
func (s *Server) showKeys(w http.ResponseWriter, r *http.Request) error {
	if err := s.db.FlushKeyUse(r.Context()); err != nil {
		s.config.Logger.Error("the use of API keys was not noted", "error", err)
	}
	return s.renderKeys(w, r, http.StatusOK, views.KeyForm{})
}

func (s *Server) renderKeys(w http.ResponseWriter, r *http.Request, status int, form views.KeyForm) error {
	live, ended, err := s.db.Keys(r.Context())
	if err != nil {
		return err
	}
	p, it := s.shownPage(r)
	return render(w, r, status, views.Keys(p, live, ended, form, it.key))
}

type keyInput struct {
	Name    string          `form:"name" validate:"required"`
	Scopes  []erasure.Scope `form:"scope" validate:"min=1"`
	Expires string          `form:"expires" validate:"omitempty,number,max=5,containsany=123456789"`
}

func (s *Server) createKey(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.KeyForm{
		Name:      strings.TrimSpace(r.PostForm.Get("name")),
		AccountID: strings.TrimSpace(r.PostForm.Get("account_id")),
		Expires:   strings.TrimSpace(r.PostForm.Get("expires")),
	}
	if form.Expires != "d" {
		form.Expires = strings.TrimSuffix(form.Expires, "d")
	}
	for _, scope := range r.PostForm["scope"] {
		form.Scopes = append(form.Scopes, erasure.Scope(scope))
	}
	form.Problems = check(keyInput{form.Name, form.Scopes, form.Expires})
	if form.Problems != nil {
		return s.renderKeys(w, r, http.StatusUnprocessableEntity, form)
	}
	days, _ := strconv.Atoi(form.Expires) // "" is never
	token, key, err := s.db.CreateKey(r.Context(), actor(r), store.NewKey{
		Name: form.Name, Scopes: form.Scopes, AccountID: form.AccountID, Expires: time.Duration(days) * 24 * time.Hour,
	})
	if ps, ok := problems(err); ok {
		form.Problems = ps
		return s.renderKeys(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	return s.done(w, r, "/settings/keys", shown{key: &views.MadeKey{Key: key, Token: token, Lines: s.trials(key, token)}})
}

func (s *Server) showRevokeKey(w http.ResponseWriter, r *http.Request) error {
	key, err := s.pathKey(r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.KeyRevoke(s.page(r), key))
}

func (s *Server) revokeKey(w http.ResponseWriter, r *http.Request) error {
	key, err := s.pathKey(r)
	if err != nil {
		return err
	}
	if err := s.db.RevokeKey(r.Context(), actor(r), key.ID.String()); err != nil {
		return err
	}
	return s.done(w, r, "/settings/keys", shown{notice: "The key is revoked: scripts that use it are refused from now on."})
}

// pathKey reads the key to be revoked that the path names.
func (s *Server) pathKey(r *http.Request) (erasure.APIKey, error) {
	id, err := pathID(r)
	if err != nil {
		return erasure.APIKey{}, err
	}
	return s.db.Key(r.Context(), id)
}

package handlers

import (
	"net/http"
	"strings"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

// What stands in a line until somebody puts a key of theirs there.
const (
	anyAccount = "YOUR_ACCOUNT_ID"
	anyKey     = "YOUR_KEY"
)

// showDevelopers shows the routes for scripts, from the data that they are
// served by. It says nothing of this store or its keys, so it is for all roles.
func (s *Server) showDevelopers(w http.ResponseWriter, r *http.Request) error {
	var apis []views.API
	for _, api := range s.apis {
		shown := views.API{Name: api.Name}
		for _, rt := range api.Routes {
			line := views.APIRoute{Method: rt.Method, Path: strings.TrimSuffix(rt.Path, "{$}"), Scope: rt.Scope, Does: rt.Does}
			for _, e := range rt.Examples {
				line.Lines = append(line.Lines, views.Line{Scope: rt.Scope, Answers: e.Answers,
					Text: api.Curl(s.config.BaseURL, rt, e, anyAccount, anyKey)})
			}
			shown.Routes = append(shown.Routes, line)
		}
		apis = append(apis, shown)
	}
	return render(w, r, http.StatusOK, views.Developers(s.page(r), apis))
}

// trials gives a line for each of a key's scopes that shows whether the key
// works and changes nothing.
func (s *Server) trials(key erasure.APIKey, token string) (lines []views.Line) {
	for _, scope := range key.Scopes {
		if line, ok := s.trial(scope, key.AccountID, token); ok {
			lines = append(lines, line)
		}
	}
	return lines
}

func (s *Server) trial(scope erasure.Scope, account, token string) (views.Line, bool) {
	for _, api := range s.apis {
		for _, rt := range api.Routes {
			for _, e := range rt.Examples {
				if rt.Scope == scope && e.Answers != "" {
					return views.Line{Scope: scope, Answers: e.Answers, Text: api.Curl(s.config.BaseURL, rt, e, account, token)}, true
				}
			}
		}
	}
	return views.Line{}, false
}

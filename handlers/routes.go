package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/efface/efface/handlers/compat/clevertap"
	"github.com/efface/efface/handlers/compat/customerlabs"
	"github.com/efface/efface/handlers/compat/june"
	"github.com/efface/efface/handlers/compat/lytics"
	"github.com/efface/efface/handlers/compat/segment"
	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/static"
	"github.com/efface/efface/store/erasure"
)

// route is one line of the table: everything that may differ between two
// routes stands here, so that a test can walk them all.
type route struct {
	method string
	path   string // of http.ServeMux
	may    access
	body   int64 // bytes that a request may carry; a script's are counted once its key is known
	poll   bool  // htmx asks for it by itself: that renews no session
	handle handlerFunc
}

func (rt route) pattern() string { return rt.method + " " + rt.path }

// patterns are the route's own and, for scripts, the other of the two ways to
// end a path: neither may lead to a redirect.
func (rt route) patterns() []string {
	if formOf(rt.path) == nil {
		return []string{rt.pattern()}
	}
	path := strings.TrimSuffix(rt.path, "/{$}")
	return []string{rt.method + " " + path, rt.method + " " + path + "/{$}"}
}

// page reports whether a browser may be sent to the route.
func (rt route) page() bool {
	return rt.method == http.MethodGet && !rt.poll && len(rt.may.roles) > 0
}

// access says who may: everyone, operators of certain roles by their session,
// or scripts by an API key with a scope. A session opens no route of a scope,
// and a key none of a role.
type access struct {
	roles []erasure.Role
	scope erasure.Scope
}

var (
	public   = access{}
	signedIn = access{roles: erasure.Roles}
	staff    = access{roles: []erasure.Role{erasure.Admin, erasure.Staff}}
	auditing = access{roles: []erasure.Role{erasure.Admin, erasure.Auditor}}
	admins   = access{roles: []erasure.Role{erasure.Admin}}
)

func scoped(s erasure.Scope) access { return access{scope: s} }

func (a access) permits(r erasure.Role) bool { return slices.Contains(a.roles, r) }

const (
	noBody   = 0
	formBody = 64 << 10
)

// table lists every route.
func (s *Server) table() []route {
	all := []route{
		{"GET", "/{$}", signedIn, noBody, false, s.home},
		{"GET", "/login", public, noBody, false, s.showLogin},
		{"POST", "/login", public, formBody, false, s.login},
		{"POST", "/logout", signedIn, formBody, false, s.logout},
		{"GET", "/link/{token}", public, noBody, false, s.showLink},
		{"POST", "/link/{token}", public, formBody, false, s.useLink},

		{"GET", "/find", staff, noBody, false, s.showFind},
		{"POST", "/find", staff, formBody, false, s.find},
		{"GET", "/find/{id}", staff, noBody, false, s.showMatches},
		{"GET", "/profiles/{id}", staff, noBody, false, s.showProfile},
		{"GET", "/profiles/{id}/data.json", staff, noBody, false, s.downloadData},
		{"GET", "/profiles/{id}/delete", staff, noBody, false, s.showDeletion},
		{"POST", "/profiles/{id}/delete", staff, formBody, false, s.requestDeletion},
		{"GET", "/requests/{id}", signedIn, noBody, false, s.showRequest},
		{"GET", "/requests/{id}/receipt", signedIn, noBody, false, s.showReceipt},
		{"GET", "/requests/{id}/receipt.json", signedIn, noBody, false, s.downloadReceipt},
		{"GET", "/requests/{id}/progress", signedIn, noBody, true, s.pollRequest},
		{"GET", "/requests/{id}/cancel", staff, noBody, false, s.showCancel},
		{"POST", "/requests/{id}/cancel", staff, formBody, false, s.cancel},
		{"GET", "/bulk", staff, noBody, false, s.showBulk},
		{"POST", "/bulk", staff, listBody, false, s.uploadList},
		{"GET", "/bulk/{id}", staff, noBody, false, s.showList},
		{"POST", "/bulk/{id}", staff, formBody, false, s.confirmList},
		{"GET", "/bulk/{id}/progress", staff, noBody, true, s.pollList},
		{"POST", "/bulk/{id}/discard", staff, formBody, false, s.discardList},
		{"GET", "/bulk/{id}/cancel", staff, noBody, false, s.showListCancel},
		{"POST", "/bulk/{id}/cancel", staff, formBody, false, s.cancelList},
		{"GET", "/bulk/{id}/results.csv", staff, noBody, false, s.exportResults},
		{"GET", "/logs", signedIn, noBody, false, s.showLogs},
		{"GET", "/logs/rows", signedIn, noBody, true, s.pollRows},
		{"GET", "/logs/checkpoint", signedIn, noBody, false, s.downloadCheckpoint},
		{"GET", "/logs/entries/{index}", auditing, noBody, false, s.showEntry},
		{"GET", "/logs/entries/{index}/entry.json", auditing, noBody, false, s.downloadEntry},
		{"GET", "/logs/export", auditing, noBody, false, s.exportLog},
		{"GET", "/logs.csv", signedIn, noBody, false, s.exportLogs},
		{"GET", "/suppressions", signedIn, noBody, false, s.showSuppressions},
		{"POST", "/suppressions/check", staff, formBody, false, s.checkSuppression},
		{"POST", "/suppressions/lift", staff, formBody, false, s.askLift},
		{"POST", "/suppressions/lift/confirm", staff, formBody, false, s.lift},
		{"GET", "/activity", auditing, noBody, false, s.showActivity},

		{"GET", "/verify.py", signedIn, noBody, false, s.downloadVerifier},
		{"GET", "/evidence.md", signedIn, noBody, false, s.showEvidence},

		{"GET", "/status", signedIn, noBody, false, s.showStatus},
		{"GET", "/developers", signedIn, noBody, false, s.showDevelopers},

		{"GET", "/account", signedIn, noBody, false, s.showAccount},
		{"POST", "/account/password", signedIn, formBody, false, s.changePassword},
		{"POST", "/account/sessions/{id}/end", signedIn, formBody, false, s.endSession},

		{"GET", "/settings", admins, noBody, false, s.showSettings},
		{"GET", "/settings/keys", admins, noBody, false, s.showKeys},
		{"POST", "/settings/keys", admins, formBody, false, s.createKey},
		{"GET", "/settings/keys/{id}/revoke", admins, noBody, false, s.showRevokeKey},
		{"POST", "/settings/keys/{id}/revoke", admins, formBody, false, s.revokeKey},
		{"GET", "/settings/operators", admins, noBody, false, s.showOperators},
		{"POST", "/settings/operators", admins, formBody, false, s.createOperator},
		{"GET", "/settings/operators/{id}", admins, noBody, false, s.showOperator},
		{"POST", "/settings/operators/{id}/role", admins, formBody, false, s.setRole},
		{"POST", "/settings/operators/{id}/disabled", admins, formBody, false, s.setDisabled},
		{"POST", "/settings/operators/{id}/reset", admins, formBody, false, s.resetPassword},

		{"GET", "/api/openapi.json", public, noBody, false, s.showOpenAPI},

		{"GET", "/static/{file...}", public, noBody, false, plain(static.Handler())},
		{"GET", "/healthz", public, noBody, false, s.alive},
		{"GET", "/readyz", public, noBody, false, s.ready},
	}
	for _, api := range s.apis {
		for _, rt := range api.Routes {
			all = append(all, route{rt.Method, rt.Path, scoped(rt.Scope), rt.Body, false, rt.Handle})
		}
	}
	return all
}

// doors are the APIs, in the order in which /developers has them.
func (s *Server) doors() []wire.API {
	return []wire.API{
		s.ownAPI(),
		customerlabs.New(s.db, s.limiter, s.wakeForNew).API(),
		lytics.New(s.db, s.limiter, s.wakeForNew).API(),
		clevertap.New(s.db, s.limiter, s.config.CleverTapConcurrency, s.wakeForNew).API(),
		june.New(s.db, s.limiter, s.wakeForNew).API(),
		segment.New(s.db, s.limiter).API(),
	}
}

// plain takes a handler that answers its own errors.
func plain(h http.Handler) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// serve puts the route's rules before its handler.
func (s *Server) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := visitOf(r)
		v.route = rt
		if err := s.admit(w, r); err != nil {
			s.fail(w, r, err)
			return
		}
		if v.answered {
			return
		}
		if rt.may.scope == "" {
			if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
				s.fail(w, r, errQuery) // else a filter that cannot be read would choose everything
				return
			}
			if rt.body > 0 && r.ContentLength > rt.body {
				s.fail(w, r, errBody)
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, rt.body)
		}
		if err := rt.handle(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// admit checks who asks. Without a session it answers with the way to one.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	if v.route.may.scope != "" {
		return nil // the route's own contract says how a key is given and refused
	}
	if err := s.cross.Check(r); err != nil || s.withoutTLS(r) {
		return errOtherSite
	}
	if len(v.route.may.roles) == 0 {
		return nil
	}
	if err := s.loadSession(r); err != nil {
		return err
	}
	if v.session == nil {
		v.answered = true
		s.askToSignIn(w, r)
		return nil
	}
	if !v.route.may.permits(v.session.Operator.Role) {
		return errRole
	}
	return nil
}

// withoutTLS reports whether a page that came without TLS sent the request to a
// server behind it: where a browser tells no more than the Origin,
// [http.CrossOriginProtection] compares hosts alone.
func (s *Server) withoutTLS(r *http.Request) bool {
	return s.base.Scheme == "https" && strings.HasPrefix(r.Header.Get("Origin"), "http://")
}

// home leads to the first page that the operator may open.
func (s *Server) home(w http.ResponseWriter, r *http.Request) error {
	path := "/find"
	if !staff.permits(operator(r).Role) {
		path = "/logs"
	}
	return seeOther(w, r, path)
}

// localPath returns the path if a browser may be sent there after signing in:
// a page of this server, else "".
func (s *Server) localPath(path string) string {
	if len(path) > 1000 || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return ""
	}
	r, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil || r.URL.Host != "" || r.URL.Scheme != "" {
		return ""
	}
	if _, pattern := s.mux.Handler(r); !s.routes[pattern].page() {
		return ""
	}
	return path
}

package handlers

import (
	"encoding/base64"
	"net/http"
	"net/url"

	"github.com/gorilla/sessions"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

// sessionStore implements [sessions.Store] over the database: the cookie
// holds a random id and nothing else.
type sessionStore struct {
	db      *store.DB
	name    string
	options sessions.Options
}

// The key under which a session holds its [erasure.Session].
type sessionValue struct{}

func newSessionStore(db *store.DB, https bool) *sessionStore {
	st := &sessionStore{db: db, name: "efface"}
	if https {
		st.name = "__Host-efface"
	}
	// Lax, so that a link in a ticket opens the page and not the sign-in form.
	st.options = sessions.Options{Path: "/", HttpOnly: true, Secure: https, SameSite: http.SameSiteLaxMode}
	return st
}

// Get returns the request's session, read once.
func (st *sessionStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(st, name)
}

// New reads the session that the cookie names, or returns a new one.
func (st *sessionStore) New(r *http.Request, name string) (*sessions.Session, error) {
	s := sessions.NewSession(st, name)
	options := st.options
	s.Options, s.IsNew = &options, true
	c, err := r.Cookie(name)
	if err != nil {
		return s, nil // there is none
	}
	poll := visitOf(r).route.poll && r.Header.Get("HX-Request") != ""
	held, err := st.db.SessionByToken(r.Context(), c.Value, !poll)
	if erasure.CodeOf(err) == erasure.CodeUnauthorized {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.ID, s.IsNew = c.Value, false
	s.Values[sessionValue{}] = held
	return s, nil
}

// Save writes the cookie; the session's row was written by what began it.
func (st *sessionStore) Save(_ *http.Request, w http.ResponseWriter, s *sessions.Session) error {
	http.SetCookie(w, sessions.NewCookie(s.Name(), s.ID, s.Options))
	return nil
}

// loadSession looks for a session once a request.
func (s *Server) loadSession(r *http.Request) error {
	v := visitOf(r)
	if v.looked {
		return nil
	}
	v.looked = true
	held, err := s.sessions.Get(r, s.sessions.name)
	if err != nil {
		return err
	}
	if session, ok := held.Values[sessionValue{}].(erasure.Session); ok {
		v.session = &session
	}
	return nil
}

// setSession gives the browser a session that the store has begun. Its id is
// a new one, and the session that the browser had ends.
func (s *Server) setSession(w http.ResponseWriter, r *http.Request, token string) error {
	held, err := s.sessions.Get(r, s.sessions.name)
	if err != nil {
		return err
	}
	if old, ok := held.Values[sessionValue{}].(erasure.Session); ok {
		if err := s.db.EndSession(r.Context(), old.Operator.ID, old.ID); err != nil {
			return err
		}
	}
	held.ID = token
	return held.Save(r, w)
}

// dropSession takes the cookie back.
func (s *Server) dropSession(w http.ResponseWriter, r *http.Request) error {
	held, err := s.sessions.Get(r, s.sessions.name)
	if err != nil {
		return err
	}
	held.ID, held.Options.MaxAge = "", -1
	return held.Save(r, w)
}

// session returns the session of a route that asks for one.
func session(r *http.Request) *erasure.Session { return visitOf(r).session }

// operator returns who is signed in on a route that asks for it.
func operator(r *http.Request) erasure.Operator { return session(r).Operator }

// actor returns who does what the request asks for.
func actor(r *http.Request) erasure.Actor {
	return erasure.Actor{Kind: erasure.ByOperator, ID: operator(r).ID}
}

// page returns what the page that answers r is told of its visitor.
func (s *Server) page(r *http.Request) views.Page {
	p := views.Page{Location: s.config.Location, BaseURL: s.config.BaseURL, Status: s.db.Status(), KeyringCopies: s.db.Options().KeepKeyringCopies}
	if v := visitOf(r); v.session != nil {
		p.Operator = v.session.Operator
	}
	return p
}

// nextCookie keeps the path that sign-in leads back to, for a few minutes.
const nextCookie = "efface-next"

// askToSignIn leads to the sign-in page, and from there back. A poll is
// answered in htmx's way, for a redirect would land in the middle of a page.
func (s *Server) askToSignIn(w http.ResponseWriter, r *http.Request) {
	next := r.URL.RequestURI()
	polled := r.Header.Get("HX-Request") != ""
	if polled {
		next = ""
		if u, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil {
			next = u.RequestURI()
		}
	}
	if next = s.localPath(next); next != "" {
		http.SetCookie(w, s.nextCookie(base64.RawURLEncoding.EncodeToString([]byte(next)), 600))
	}
	if polled {
		w.Header().Set("HX-Redirect", "/login")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (s *Server) nextCookie(value string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name: nextCookie, Value: value, Path: "/login", MaxAge: seconds,
		HttpOnly: true, Secure: s.sessions.options.Secure, SameSite: http.SameSiteLaxMode,
	}
}

// nextOf reads the path kept by askToSignIn, or "".
func (s *Server) nextOf(r *http.Request) string {
	c, err := r.Cookie(nextCookie)
	if err != nil {
		return ""
	}
	path, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return ""
	}
	return s.localPath(string(path))
}

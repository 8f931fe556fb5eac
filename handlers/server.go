// Package handlers answers HTTP: one table of routes, one adapter from errors
// to pages, and one file for each page.
package handlers

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"time"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/views"
)

// DefaultAtOncePerKey is how many requests of one API key are answered at once.
const DefaultAtOncePerKey = 256

// DefaultCleverTapConcurrency is CleverTap's own limit.
const DefaultCleverTapConcurrency = 15

// Setting is a flag of the program, as the page Settings shows it.
type Setting = views.Setting

// Config says how a server behaves.
type Config struct {
	BaseURL        string         // scheme and host under which people reach it; https means TLS in front
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	Location       *time.Location // of the times on pages; nil is UTC
	CancelWindow   time.Duration
	Suppress       bool          // whether the console and Efface's own API suppress unless told otherwise
	SuppressFor    time.Duration // as the store was told; shown where it is chosen
	KeepCancelled  time.Duration // as the sweeper was told; shown where a request is cancelled
	RatePerKey     float64       // requests a second that each API key may make; 0 is any number
	AtOncePerKey   int           // requests of one API key at once; 0 is DefaultAtOncePerKey
	// CleverTapConcurrency is how many requests of CleverTap's API an account
	// may have at once; 0 is any number.
	CleverTapConcurrency int
	Wake                 func() // tells the runner that there may be work; nil does nothing
	WakeBulk             func() // tells the runner of lists that there may be one; nil does nothing
	// Answered is told of each answer: the route's pattern or "none", one of
	// the known methods or "other", the status and how long it took. Nothing
	// in it is chosen by a client. nil does nothing.
	Answered func(route, method string, status int, took time.Duration)
	Logger   *slog.Logger
	Settings []Setting // the flags, as Settings shows them
	// TestPersons says that a person is made up and erased each day, as Status
	// shows.
	TestPersons bool
}

// Server answers for one store.
type Server struct {
	db       *store.DB
	config   Config
	base     *url.URL
	sessions *sessionStore
	limiter  *wire.Limiter
	apis     []wire.API
	shown    *shownOnce
	cross    *http.CrossOriginProtection
	mux      *http.ServeMux
	routes   map[string]route // by the pattern that the mux reports
	began    time.Duration    // when, by the boot clock
}

// New makes a server. It does not listen.
func New(db *store.DB, config Config) (*Server, error) {
	base, err := ParseBaseURL(config.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("the base URL: %w", err)
	}
	config.BaseURL = base.String()
	if config.Location == nil {
		config.Location = time.UTC
	}
	if config.Wake == nil {
		config.Wake = func() {}
	}
	if config.WakeBulk == nil {
		config.WakeBulk = func() {}
	}
	if config.Answered == nil {
		config.Answered = func(string, string, int, time.Duration) {}
	}
	if config.AtOncePerKey == 0 {
		config.AtOncePerKey = DefaultAtOncePerKey
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		db: db, config: config, base: base,
		sessions: newSessionStore(db, base.Scheme == "https"),
		limiter:  wire.NewLimiter(config.RatePerKey, config.AtOncePerKey),
		shown:    &shownOnce{},
		cross:    http.NewCrossOriginProtection(),
		mux:      http.NewServeMux(),
		routes:   map[string]route{},
		began:    db.Options().Clock.Now().Boottime,
	}
	if err := s.cross.AddTrustedOrigin(config.BaseURL); err != nil {
		return nil, fmt.Errorf("trusting the base URL: %w", err)
	}
	s.apis = s.doors()
	for _, rt := range s.table() {
		s.add(rt)
	}
	return s, nil
}

// ParseBaseURL reads a scheme and a host, and nothing else.
func ParseBaseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" ||
		u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("give a scheme and a host such as https://efface.example.com")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func (s *Server) add(rt route) {
	for _, pattern := range rt.patterns() {
		s.mux.Handle(pattern, s.serve(rt))
		s.routes[pattern] = rt
	}
}

// Handler returns what answers every request.
func (s *Server) Handler() http.Handler {
	return s.observe(s.secure(http.HandlerFunc(s.dispatch)))
}

// HTTPServer returns a server with its limits set, ready for Serve. A handler
// that needs longer, such as an export, moves its own deadlines.
func (s *Server) HTTPServer() *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(withoutAddresses{s.config.Logger.Handler()}, slog.LevelWarn),
	}
}

// dispatch keeps 404 and 405 on pages of our own.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	if !straight(r) {
		s.fail(w, r, errNoPage)
		return
	}
	if _, pattern := s.mux.Handler(r); pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	missed := missedRoute{header: http.Header{}}
	s.mux.ServeHTTP(&missed, r)
	if missed.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", missed.header.Get("Allow"))
		s.fail(w, r, errMethod)
		return
	}
	s.fail(w, r, errNoPage)
}

// straight reports whether the mux will not redirect because of dots or double
// slashes in the path. Only what changes nothing may be sent elsewhere: many
// clients follow a redirected POST with a GET, and take its answer for done.
func straight(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	given := r.URL.EscapedPath()
	clean := path.Clean("/" + given)
	return given == clean || given == clean+"/"
}

// missedRoute takes what the mux answers where no route fits: a status, and
// the methods that there are.
type missedRoute struct {
	header http.Header
	status int
}

func (m *missedRoute) Header() http.Header         { return m.header }
func (m *missedRoute) WriteHeader(status int)      { m.status = status }
func (m *missedRoute) Write(b []byte) (int, error) { return len(b), nil }

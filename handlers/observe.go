package handlers

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/efface/efface/store/erasure"
)

// visit is what is known of one request while it is answered.
type visit struct {
	reference string // stands on an error's page and in the log
	route     route
	session   *erasure.Session
	looked    bool  // for a session
	answered  bool  // before the handler's turn
	gone      bool  // the client went away
	failure   error // for the log alone
}

type visitKey struct{}

func visitOf(r *http.Request) *visit { return r.Context().Value(visitKey{}).(*visit) }

var referenceCode = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

func newReference() string {
	var b [5]byte
	rand.Read(b[:])
	return referenceCode.EncodeToString(b[:])
}

// observe writes one log line for each request. The line names the route by
// its pattern: paths, queries and addresses may say something of a person.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		v := &visit{reference: newReference()}
		r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
		seen := &statusWriter{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { // an answer that broke off in its middle
					s.logVisit(r, v, seen.status, time.Since(began))
					panic(p)
				}
				v.failure = panicked(p)
				if seen.status == 0 {
					s.fail(seen, r, v.failure)
				}
			}
			s.logVisit(r, v, seen.status, time.Since(began))
		}()
		next.ServeHTTP(seen, r)
	})
}

// panicked keeps a panic's stack. Its value is kept only where the runtime
// made it: any other may hold what the request held.
func panicked(p any) error {
	if e, ok := p.(interface{ RuntimeError() }); ok {
		return fmt.Errorf("panic: %v\n%s", e, debug.Stack())
	}
	return fmt.Errorf("panic of type %T\n%s", p, debug.Stack())
}

func (s *Server) logVisit(r *http.Request, v *visit, status int, took time.Duration) {
	level, pattern := slog.LevelInfo, v.route.path
	if pattern == "" {
		pattern = "none"
	}
	if status == 0 {
		status = http.StatusOK
	}
	if v.gone {
		status = 499 // as nginx has it: the client closed the request
	}
	method := knownMethod(r.Method)
	s.config.Answered(pattern, method, status, took)
	attrs := []slog.Attr{
		slog.String("method", method), slog.String("route", pattern), slog.Int("status", status),
		slog.Duration("took", took), slog.String("reference", v.reference),
	}
	if v.failure != nil {
		if erasure.CodeOf(v.failure) != erasure.CodeNotFound { // as of somebody who is erased while their data goes out
			level = slog.LevelError
		}
		attrs = append(attrs, slog.String("error", v.failure.Error()))
	}
	s.config.Logger.LogAttrs(r.Context(), level, "request", attrs...)
}

// knownMethod keeps a method that a client made up out of the log.
func knownMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return method
	}
	return "other"
}

// statusWriter remembers the status. Unwrap lets http.ResponseController
// reach what it wraps.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// withoutAddresses takes the client's address out of what net/http reports.
type withoutAddresses struct{ slog.Handler }

var address = regexp.MustCompile(`\[?[0-9a-fA-F.:%]*[.:][0-9a-fA-F.:]+\]?(:\d+)?`)

func (h withoutAddresses) Handle(ctx context.Context, record slog.Record) error {
	text := address.ReplaceAllString(strings.TrimSpace(record.Message), "ADDRESS")
	return h.Handler.Handle(ctx, slog.NewRecord(record.Time, record.Level, text, record.PC))
}

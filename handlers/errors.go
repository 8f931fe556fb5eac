package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/a-h/templ"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

// handlerFunc answers a request, or returns why it could not. An
// [erasure.Error] is shown by its sentence; of any other error only a
// reference is shown, and the error stands beside it in the log.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

// answer is an error with a status of its own.
type answer struct {
	status   int
	sentence string
}

func (a *answer) Error() string { return a.sentence }

var (
	errNoPage    = &answer{http.StatusNotFound, "Check the address: there is no such page."}
	errMethod    = &answer{http.StatusMethodNotAllowed, "Go back and use the page's own buttons: this address does not take such a request."}
	errOtherSite = &answer{http.StatusForbidden, "Reload the page and send the form again: it came from another site."}
	errRole      = &answer{http.StatusForbidden, "Ask an admin: your role does not include this page."}
	errForm      = &answer{http.StatusBadRequest, "Go back and send the form again: it could not be read."}
	errQuery     = &answer{http.StatusBadRequest, "Open the page anew from the navigation: its address could not be read."}
	errBody      = &answer{http.StatusRequestEntityTooLarge, "Send less at once: the request is over the limit."}
)

// classify decides what an error is answered with, as [wire.Classify] does but
// for a form's own problems. known is false where the error says nothing to
// people and belongs in the log.
func classify(err error) (a *answer, known bool) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &a):
		return a, true
	case errors.As(err, &tooLarge):
		return errBody, true
	}
	status, sentence, known := wire.Classify(err)
	if erasure.CodeOf(err) == erasure.CodeInvalid {
		status = http.StatusUnprocessableEntity
	}
	return &answer{status, sentence}, known
}

// fail answers with an error, in the form that the client reads.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	v := visitOf(r)
	a, known := classify(err)
	if !known && r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		v.gone = true // whoever reads on learns that there was no answer
		panic(http.ErrAbortHandler)
	}
	var limited *erasure.Limited
	if errors.As(err, &limited) {
		w.Header().Set("Retry-After", fmt.Sprint(limited.Seconds()))
	}
	if refuse := formOf(r.URL.Path); refuse != nil {
		if !refuse(w, forScripts(err), v.reference) {
			v.failure = err
		}
		return
	}
	if !known {
		v.failure = err
	}
	if v.session == nil && v.failure == nil {
		if err := s.loadSession(r); err != nil { // for the navigation only
			v.failure = err
		}
	}
	if err := render(w, r, a.status, views.Error(s.page(r), a.status, a.sentence, v.reference)); err != nil {
		v.failure = errors.Join(v.failure, err)
		http.Error(w, a.sentence+" Reference: "+v.reference, a.status)
	}
}

// render draws a page or a fragment whole before the first byte is sent, so
// that a view that fails can still become an error page.
// A client that sends nothing more may still read it.
func render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	var b bytes.Buffer
	if err := c.Render(context.WithoutCancel(r.Context()), &b); err != nil {
		return fmt.Errorf("drawing a page: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // a failed write means that the client went away
	return nil
}

// send gives a file that is there whole.
func send(w http.ResponseWriter, kind, name string, file []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = w.Write(file) // a failed write means that the client went away, and the error names its address
}

// seeOther answers a form with the page that shows what it changed.
func seeOther(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, path, http.StatusSeeOther)
	return nil
}

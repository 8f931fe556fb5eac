package handlers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

const suppressionsPath = "/suppressions"

// showSuppressions says what is suppressed without a value of anybody, which
// nobody has: it is no look.
func (s *Server) showSuppressions(w http.ResponseWriter, r *http.Request) error {
	table, err := erasure.ParseTable(r.URL.Query().Get("table"))
	if err != nil {
		return err
	}
	form := views.FindForm{Table: table, Key: erasure.KeyEmail}
	if table == erasure.Group {
		form.Key = erasure.KeyGroupID
	}
	return s.renderSuppressions(w, r, http.StatusOK, views.SuppressionsPage{Form: form})
}

func (s *Server) renderSuppressions(w http.ResponseWriter, r *http.Request, status int, page views.SuppressionsPage) (err error) {
	page.Form.Path = suppressionsPath
	if page.Form.Keys, err = s.collectedKeys(r.Context(), page.Form.Table); err != nil {
		return err
	}
	if page.Form.Default, err = s.db.Region(r.Context()); err != nil {
		return err
	}
	if page.Totals, err = s.db.SuppressionTotals(r.Context()); err != nil {
		return err
	}
	var next string
	page.List, next, err = s.db.Suppressions(r.Context(), r.URL.Query().Get("cursor"), rowsPerPage)
	if err != nil {
		return err
	}
	if next != "" {
		page.Next = suppressionsPath + "?cursor=" + url.QueryEscape(next)
	}
	p, _ := s.shownPage(r)
	return render(w, r, status, views.Suppressions(p, page))
}

// collectedKeys lists the keys of identifiers that sources give. A User ID is
// given by Efface, and is never suppressed.
func (s *Server) collectedKeys(ctx context.Context, table erasure.Table) ([]string, error) {
	keys, err := s.db.KeyNames(ctx, table)
	return slices.DeleteFunc(keys, func(k string) bool { return k == erasure.KeyEffaceID }), err
}

// checkSuppression answers the form with the page itself, so that the
// identifier stands in no URL.
func (s *Server) checkSuppression(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := views.FindForm{
		Table: erasure.User,
		Key:   strings.TrimSpace(r.PostForm.Get("key")), Value: r.PostForm.Get("value"),
		Region: strings.ToUpper(strings.TrimSpace(r.PostForm.Get("region"))),
	}
	asked, err := s.asked(r.Context(), r.PostForm.Get("table"), form)
	if asked.Table != "" {
		form.Table = asked.Table
	}
	if err == nil && asked.Key == erasure.KeyEffaceID {
		err = erasure.Errorf(erasure.CodeInvalid, "Choose an identifier from the list: a User ID is given by Efface and never suppressed.").In("key")
	}
	if ps, ok := problems(err); ok {
		form.Problems = ps
		return s.renderSuppressions(w, r, http.StatusUnprocessableEntity, views.SuppressionsPage{Form: form})
	}
	if err != nil {
		return err
	}
	form.AsTyped = !asked.parsed
	if asked.Key == erasure.KeyPhone && asked.parsed {
		form.ReadAs = asked.value
	}
	found, err := s.db.CheckSuppressions(r.Context(), actor(r), []erasure.Identifier{asked.Identifier})
	if err != nil {
		return err
	}
	return s.renderSuppressions(w, r, http.StatusOK, views.SuppressionsPage{
		Form: form, Checked: &views.Checked{Suppression: found[0]},
	})
}

// suppressionOf reads the suppression that a form names.
func (s *Server) suppressionOf(r *http.Request) (one erasure.Suppression, err error) {
	if err := parseForm(r); err != nil {
		return one, err
	}
	f, ok := erasure.ParseFingerprint(r.PostForm.Get("fingerprint"))
	if !ok {
		return one, errForm
	}
	return s.db.Suppression(r.Context(), f)
}

// askLift says what lifting means before anything is lifted.
func (s *Server) askLift(w http.ResponseWriter, r *http.Request) error {
	one, err := s.suppressionOf(r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.Lift(s.page(r), one, views.LiftForm{}))
}

func (s *Server) lift(w http.ResponseWriter, r *http.Request) error {
	one, err := s.suppressionOf(r)
	if err != nil {
		return err
	}
	request, ok := erasure.ParseRequestID(r.PostForm.Get("request"))
	if !ok {
		return errForm
	}
	form := views.LiftForm{
		Reason: erasure.LiftReason(r.PostForm.Get("reason")), Reference: erasure.CleanPaste(r.PostForm.Get("reference")),
	}
	_, err = s.db.Lift(r.Context(), actor(r), erasure.Lift{
		Fingerprint: one.Fingerprint, Request: request, Reason: form.Reason, Reference: form.Reference,
	})
	if ps, ok := problems(err); ok {
		form.Problems = ps
		status := http.StatusUnprocessableEntity
		if erasure.CodeOf(err) == erasure.CodeConflict {
			status = http.StatusConflict
		}
		return render(w, r, status, views.Lift(s.page(r), one, form))
	}
	if err != nil {
		return err
	}
	return s.done(w, r, suppressionsPath, shown{notice: "The suppression is lifted: data with this identifier is collected again."})
}

package handlers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/a-h/templ"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

// How often a page asks for its rows again: soon while one of them is about to
// change, and else as often as the time left to cancel does.
const (
	pollSoon  = 2 * time.Second
	pollLater = 30 * time.Second
	pollDue   = time.Minute // a request due within this time is about to change
)

// rowSpan names the rows of a page by its newest and its oldest one. Polls
// show the same rows for as long as a page is open: rows that came meanwhile
// would move the links that somebody is about to press.
type rowSpan struct{ first, last erasure.RequestID }

func spanOf(rs []erasure.Request) rowSpan {
	if len(rs) == 0 {
		return rowSpan{}
	}
	return rowSpan{rs[0].ID, rs[len(rs)-1].ID}
}

// pollRows answers the one poll of a page for all its open rows. It shows no
// more than the page did, so it is no look at anybody.
func (s *Server) pollRows(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	page := views.LogsPage{Filter: typedFilter(query)}
	filter, ps := s.filter(page.Filter)
	first, ok := erasure.ParseRequestID(query.Get("first"))
	last, ok2 := erasure.ParseRequestID(query.Get("last"))
	if ps != nil || !ok || !ok2 {
		return errForm
	}
	// Rows may also enter the filter, as a state changes.
	filter.Cursor, filter.Limit = following(first).String(), 2*rowsPerPage
	var err error
	if page.Requests, _, err = s.db.Requests(r.Context(), filter); err != nil {
		return err
	}
	page.Requests = slices.DeleteFunc(page.Requests, func(r erasure.Request) bool {
		return bytes.Compare(r.ID[:], last[:]) < 0
	})
	page, version, err := s.polled(r, page, rowSpan{first, last})
	if err != nil {
		return err
	}
	if version == query.Get("v") {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return render(w, r, http.StatusOK, views.LogRows(s.page(r), page))
}

// following returns the id right after one.
func following(id erasure.RequestID) erasure.RequestID {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			break
		}
	}
	return id
}

// drawn is the version of a polled fragment: a digest of it as it is drawn, so
// that it changes when what is seen of it does.
func drawn(ctx context.Context, fragment templ.Component) (version string, err error) {
	var b bytes.Buffer
	if err := fragment.Render(ctx, &b); err != nil {
		return "", fmt.Errorf("drawing what is polled: %w", err)
	}
	digest := sha256.Sum256(b.Bytes())
	return base64.RawURLEncoding.EncodeToString(digest[:12]), nil
}

// polled gives a page its rows' places in the log and, if one of them is open,
// its poll.
func (s *Server) polled(r *http.Request, page views.LogsPage, of rowSpan) (views.LogsPage, string, error) {
	var err error
	if page.Newest, err = s.db.NewestEntries(r.Context(), page.Requests); err != nil {
		return page, "", err
	}
	version, err := drawn(r.Context(), views.LogRows(s.page(r), page))
	if err != nil {
		return page, "", err
	}
	page.Every = pollEvery(page.Requests)
	if page.Every == 0 {
		return page, version, nil
	}
	query := page.Filter.Query()
	query.Set("first", of.first.String())
	query.Set("last", of.last.String())
	query.Set("v", version)
	page.Poll = "/logs/rows?" + query.Encode()
	return page, version, nil
}

// pollEvery decides how soon rows are asked for again; 0 is never.
func pollEvery(rs []erasure.Request) (every time.Duration) {
	for _, r := range rs {
		switch {
		case r.State == erasure.InProgress, r.State == erasure.Pending && r.Remaining <= pollDue:
			return pollSoon
		case r.State.Open():
			every = pollLater
		}
	}
	return every
}

package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

// rowsPerPage is how many rows a page of the Deletion Logs or of Activity has.
const rowsPerPage = 50

// showLogs lists the deletion requests. What is wrong with a filter is told on
// the page, which then lists nothing.
func (s *Server) showLogs(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	typed := typedFilter(query)
	filter, ps := s.filter(typed)
	page := views.LogsPage{Filter: typed, Cursor: query.Get("cursor"), Problems: ps}
	if ps != nil {
		return s.renderLogs(w, r, http.StatusUnprocessableEntity, page)
	}
	filter.Cursor, filter.Limit = page.Cursor, rowsPerPage
	var err error
	page.Requests, page.Next, err = s.db.Requests(r.Context(), filter)
	if ps, ok := problems(err); ok {
		page.Problems, page.Cursor = ps, ""
		return s.renderLogs(w, r, http.StatusUnprocessableEntity, page)
	}
	if err != nil {
		return err
	}
	if page, _, err = s.polled(r, page, spanOf(page.Requests)); err != nil {
		return err
	}
	return s.renderLogs(w, r, http.StatusOK, page)
}

func (s *Server) renderLogs(w http.ResponseWriter, r *http.Request, status int, page views.LogsPage) error {
	p, _ := s.shownPage(r)
	page.LogKey = s.db.LogKey()
	return render(w, r, status, views.Logs(p, page))
}

// typedFilter reads the filter as it was typed.
func typedFilter(query url.Values) views.LogsFilter {
	field := func(name string) string {
		return strings.TrimSpace(strings.ToValidUTF8(query.Get(name), "\uFFFD"))
	}
	return views.LogsFilter{State: field("state"), Origin: field("origin"), From: field("from"), To: field("to"), Q: field("q")}
}

// filter reads what was typed, dates in the time zone of the pages.
func (s *Server) filter(typed views.LogsFilter) (erasure.RequestFilter, views.Problems) {
	f := erasure.RequestFilter{State: erasure.State(typed.State), Origin: erasure.Origin(typed.Origin), Q: typed.Q}
	var ps views.Problems
	wrong := func(field, sentence string) {
		ps = append(ps, erasure.Errorf(erasure.CodeInvalid, "%s", sentence).In(field))
	}
	if f.State != "" && !slices.Contains(erasure.States, f.State) {
		wrong("state", "Choose a state from the list.")
	}
	if f.Origin != "" && !slices.Contains(erasure.Origins, f.Origin) {
		wrong("origin", "Choose an origin from the list.")
	}
	var ok bool
	if f.From, ok = begin(typed.From, s.config.Location); !ok {
		wrong("from", "Give the first day as year, month and day, such as 2026-03-01.")
	}
	if f.To, ok = end(typed.To, s.config.Location); !ok {
		wrong("to", "Give the last day as year, month and day, such as 2026-03-31.")
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		wrong("to", "Give a last day that does not come before the first one.")
	}
	if !searchable(f.Q) {
		wrong("q", "Give a whole request ID, batch ID, User ID or reference; people are found on the page Find User.")
	}
	return f, ps
}

// begin reads a day, which begins at midnight, or an instant of RFC 3339.
func begin(s string, in *time.Location) (t time.Time, ok bool) {
	if s == "" {
		return t, true
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, in); err == nil {
		return t, true
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

// end reads the same for the end of a span, which does not belong to the span:
// of a day, the midnight that ends it.
func end(s string, in *time.Location) (t time.Time, ok bool) {
	if t, err := time.ParseInLocation(time.DateOnly, s, in); err == nil {
		return t.AddDate(0, 0, 1), true
	}
	return begin(s, in)
}

// searchable reports whether a term has the form of an id or a reference. Of
// anything else, such as an e-mail address, the log can know nothing.
func searchable(q string) bool {
	return erasure.CheckReference(erasure.CleanPaste(q)) == nil
}

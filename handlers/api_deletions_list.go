package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// listDeletions lists requests, newest first, a page at a time.
func (s *Server) listDeletions(w http.ResponseWriter, r *http.Request, _ erasure.APIKey) error {
	f, err := deletionFilter(r.URL.RawQuery)
	if err != nil {
		return err
	}
	found, next, err := s.db.Requests(r.Context(), f)
	if err != nil {
		return err
	}
	page := struct {
		Deletions []deletion `json:"deletions"`
		Next      *string    `json:"next"`
	}{Next: wire.OrNull(next)}
	for _, d := range found {
		page.Deletions = append(page.Deletions, deletionOf(d))
	}
	return writeJSON(w, http.StatusOK, page)
}

// deletionFilter reads the filters of a query. One that is unknown, given
// twice or malformed is refused: leaving it out would list too much.
func deletionFilter(query string) (f erasure.RequestFilter, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return f, erasure.Errorf(erasure.CodeInvalid, "Mend the query: it cannot be read.")
	}
	for name, given := range values {
		if len(given) != 1 {
			return f, erasure.Errorf(erasure.CodeInvalid, "Give each parameter once.")
		}
		if err := setFilter(&f, name, given[0]); err != nil {
			return f, err
		}
	}
	return f, nil
}

func setFilter(f *erasure.RequestFilter, name, value string) (err error) {
	switch name {
	case "state":
		f.State, err = oneOf(name, erasure.State(value), erasure.States)
	case "origin":
		f.Origin, err = oneOf(name, erasure.Origin(value), erasure.Origins)
	case "from":
		f.From, err = parseMoment(name, value, 0)
	case "to":
		f.To, err = parseMoment(name, value, 1)
	case "q":
		f.Q = value
	case "cursor":
		f.Cursor = value
	default:
		err = erasure.Errorf(erasure.CodeInvalid, "Use only the parameters state, origin, from, to, q and cursor.")
	}
	return err
}

func oneOf[T ~string](name string, value T, all []T) (T, error) {
	if !slices.Contains(all, value) {
		return "", erasure.Errorf(erasure.CodeInvalid, "Give %s as %s.", name, anyOf(all)).In(name)
	}
	return value, nil
}

// anyOf names what there is to choose from.
func anyOf[T ~string](all []T) string {
	var b strings.Builder
	for i, one := range all {
		switch {
		case i > 0 && i == len(all)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(one))
	}
	return b.String()
}

// parseMoment reads a time of RFC 3339 or a day in UTC, of which extra days
// are counted in whole.
func parseMoment(name, value string, extra int) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, value); err == nil {
		return day.AddDate(0, 0, extra), nil
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return t, erasure.Errorf(erasure.CodeInvalid, "Give %s as 2026-03-01 or 2026-03-01T09:00:00Z.", name).In(name)
	}
	return t, nil
}

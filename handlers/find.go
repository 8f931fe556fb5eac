package handlers

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

// showFind offers the keys of a table, which stands in the address so that the
// choice of another one can ask for its keys.
func (s *Server) showFind(w http.ResponseWriter, r *http.Request) error {
	table, err := erasure.ParseTable(r.URL.Query().Get("table"))
	if err != nil {
		return err
	}
	form := views.FindForm{Table: table, Key: erasure.KeyEmail}
	if table == erasure.Group {
		form.Key = erasure.KeyGroupID
	}
	return s.renderFind(w, r, http.StatusOK, form)
}

func (s *Server) renderFind(w http.ResponseWriter, r *http.Request, status int, form views.FindForm) (err error) {
	if form.Keys, err = s.db.KeyNames(r.Context(), form.Table); err != nil {
		return err
	}
	if form.Default, err = s.db.Region(r.Context()); err != nil {
		return err
	}
	p, _ := s.shownPage(r)
	return render(w, r, status, views.Find(p, form))
}

// find looks an identifier up. It is a POST, so that the identifier stands in
// no URL, and leads to a page whose address names User IDs at most.
func (s *Server) find(w http.ResponseWriter, r *http.Request) error {
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
	if ps, ok := problems(err); ok {
		form.Problems = ps
		return s.foundNobody(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	found, err := s.db.Find(r.Context(), asked.Identifier)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return s.tellNobody(w, r, asked, form)
	}
	notice := noticeOf(asked, found)
	if len(found) == 1 {
		return s.done(w, r, profilePath(found[0].EffaceID), shown{notice: notice})
	}
	return s.keepMatches(w, r, found, notice)
}

// asked is an identifier that was searched for, its value in the form it is
// compared in, and whether that reads as what its key promises.
type asked struct {
	erasure.Identifier
	value  string
	parsed bool
}

func (s *Server) asked(ctx context.Context, table string, form views.FindForm) (a asked, err error) {
	a.Identifier = erasure.Identifier{Key: form.Key, Value: form.Value, Region: form.Region}
	if a.Table, err = erasure.ParseTable(table); err != nil {
		return a, err
	}
	keys, err := s.db.KeyNames(ctx, a.Table)
	if err != nil {
		return a, err
	}
	switch {
	case !slices.Contains(keys, a.Key) && erasure.KeyOf(otherTable(a.Table), a.Key).Known:
		return a, erasure.Errorf(erasure.CodeInvalid, "Choose an identifier from the list: the one that was chosen is not of the table %q.", a.Table).In("key")
	case !slices.Contains(keys, a.Key):
		return a, erasure.Errorf(erasure.CodeInvalid, "Choose an identifier from the list: no data has come with this one.").In("key")
	case len(a.Value) > erasure.ValueLength:
		return a, erasure.Errorf(erasure.CodeInvalid,
			"Shorten the value: no identifier has more than 1,024 characters, or fewer where not all are plain letters and digits.").In("value")
	case erasure.CheckRegion(a.Region) != nil:
		return a, erasure.Errorf(erasure.CodeInvalid, "Choose the country of the phone number from the list.").In("region")
	}
	region, err := s.db.Region(ctx)
	if err != nil {
		return a, err
	}
	a.value, a.parsed, err = erasure.Normalise(a.Identifier, region)
	return a, err
}

func otherTable(t erasure.Table) erasure.Table {
	if t == erasure.Group {
		return erasure.User
	}
	return erasure.Group
}

// tellNobody shows the form again with what was searched. A User ID names one
// profile, whichever table was chosen; it may be that of one which was erased.
func (s *Server) tellNobody(w http.ResponseWriter, r *http.Request, asked asked, form views.FindForm) error {
	form.None, form.AsTyped = true, !asked.parsed
	switch {
	case asked.Key == erasure.KeyPhone && asked.parsed:
		form.ReadAs = asked.value
	case asked.Key == erasure.KeyEffaceID:
		id := uuid.MustParse(asked.value)
		_, err := s.db.PeekProfile(r.Context(), id)
		if err == nil {
			return s.done(w, r, profilePath(id), shown{})
		}
		if erasure.CodeOf(err) != erasure.CodeNotFound {
			return err
		}
		request, err := s.db.RequestByProfile(r.Context(), id)
		if err != nil && erasure.CodeOf(err) != erasure.CodeNotFound {
			return err
		}
		if err == nil && goneWith(request) {
			form.Gone = &request
		}
	}
	return s.foundNobody(w, r, http.StatusOK, form)
}

// foundNobody shows the form again. A request's ID in place of a person's is
// told as what it is, whatever else is wrong with it.
func (s *Server) foundNobody(w http.ResponseWriter, r *http.Request, status int, form views.FindForm) error {
	id, ok := erasure.ParseRequestID(strings.ToLower(erasure.CleanPaste(form.Value)))
	if !ok {
		return s.renderFind(w, r, status, form)
	}
	switch _, err := s.db.Request(r.Context(), id); {
	case err == nil:
		status, form.None, form.Problems, form.Named = http.StatusOK, true, nil, &id
	case erasure.CodeOf(err) != erasure.CodeNotFound:
		return err
	}
	return s.renderFind(w, r, status, form)
}

// noticeOf says what the page that a find leads to would not tell by itself.
func noticeOf(asked asked, found []erasure.Profile) string {
	switch {
	case asked.Key == erasure.KeyPhone && !asked.parsed:
		return "The value does not read as a phone number, so it was searched as typed."
	case asked.Key == erasure.KeyEmail && !asked.parsed:
		return "The value does not read as an e-mail address, so it was searched as typed."
	case asked.Key == erasure.KeyEffaceID && erasure.MatchPaste(asked.Value, found[0].EffaceID, nil) != nil:
		return formerNotice
	}
	return ""
}

// keepMatches leads to a page of this session's own that lists the matches.
func (s *Server) keepMatches(w http.ResponseWriter, r *http.Request, found []erasure.Profile, notice string) error {
	ids := make([]uuid.UUID, len(found))
	for i, p := range found {
		ids[i] = p.EffaceID
	}
	id, err := s.db.KeepFind(r.Context(), session(r).ID, ids)
	if err != nil {
		return err
	}
	return s.done(w, r, "/find/"+id.String(), shown{notice: notice})
}

// showMatches lists the profiles of a find without opening anything of them:
// it is no look at any of them.
func (s *Server) showMatches(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	ids, err := s.db.KeptFind(r.Context(), session(r).ID, id)
	if err != nil {
		return err
	}
	profiles, err := s.peekAll(r.Context(), ids)
	if err != nil {
		return err
	}
	if len(profiles) == 0 {
		return erasure.Errorf(erasure.CodeNotFound, "Search again: the profiles found were erased meanwhile.")
	}
	p, _ := s.shownPage(r)
	return render(w, r, http.StatusOK, views.Matches(p, profiles))
}

// peekAll leaves out profiles that went meanwhile and shows merged ones once.
func (s *Server) peekAll(ctx context.Context, ids []uuid.UUID) (profiles []erasure.Profile, err error) {
	for _, id := range ids {
		p, err := s.db.PeekProfile(ctx, id)
		if erasure.CodeOf(err) == erasure.CodeNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(profiles, func(q erasure.Profile) bool { return q.EffaceID == p.EffaceID }) {
			profiles = append(profiles, p)
		}
	}
	return profiles, nil
}

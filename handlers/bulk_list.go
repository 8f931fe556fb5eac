package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

// pollBusy is how often the page of a list asks how far it is.
const pollBusy = time.Second

var errNoList = erasure.Errorf(erasure.CodeNotFound,
	"Upload the list again if it is still to be done: it was given up or was not confirmed in time, and nothing of it was requested.")

func bulkPath(id erasure.BatchID) string { return "/bulk/" + id.String() }

// pathList reads the list that the path names.
func (s *Server) pathList(r *http.Request) (erasure.Bulk, error) {
	id, ok := erasure.ParseBatchID(r.PathValue("id"))
	if !ok {
		return erasure.Bulk{}, errNoPage
	}
	list, err := s.db.Bulk(r.Context(), id)
	if erasure.CodeOf(err) == erasure.CodeNotFound || err == nil && list.Stage == erasure.Receiving {
		return list, errNoList
	}
	return list, err
}

// showList is one page for all stages of a list.
func (s *Server) showList(w http.ResponseWriter, r *http.Request) error {
	list, err := s.pathList(r)
	if errors.Is(err, errNoList) {
		if id, ok := erasure.ParseBatchID(r.PathValue("id")); ok {
			switch _, failed := s.db.Batch(r.Context(), id); {
			case failed == nil: // a batch that came as no list, or long ago
				return seeOther(w, r, "/logs?"+url.Values{"q": {id.String()}}.Encode())
			case erasure.CodeOf(failed) != erasure.CodeNotFound:
				return failed
			}
		}
	}
	if err != nil {
		return err
	}
	return s.renderList(w, r, http.StatusOK, views.BulkPage{List: list})
}

func (s *Server) renderList(w http.ResponseWriter, r *http.Request, status int, page views.BulkPage) error {
	page, _, err := s.polledList(r, page)
	if err != nil {
		return err
	}
	p, _ := s.shownPage(r)
	return render(w, r, status, views.Bulk(p, page))
}

// pollList answers the poll of a list's page. It shows counts alone, so it is
// no look at anybody.
func (s *Server) pollList(w http.ResponseWriter, r *http.Request) error {
	list, err := s.pathList(r)
	if erasure.CodeOf(err) == erasure.CodeNotFound {
		w.Header().Set("HX-Refresh", "true") // the page that this leads to says why
		return err
	}
	if err != nil {
		return err
	}
	page, version, err := s.polledList(r, views.BulkPage{List: list})
	if err != nil {
		return err
	}
	query := r.URL.Query()
	if version == query.Get("v") {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	page.Turned = query.Get("stage") != string(list.Stage)
	return render(w, r, http.StatusOK, views.BulkStage(s.page(r), page))
}

// polledList gives a page its poll, if there is something to wait for.
func (s *Server) polledList(r *http.Request, page views.BulkPage) (views.BulkPage, string, error) {
	list := page.List
	page.Window = s.config.CancelWindow
	newest, err := s.newestPending(r.Context(), list)
	if err != nil {
		return page, "", err
	}
	if newest != nil && newest.Cancellable {
		page.Remaining = newest.Remaining
	}
	version, err := drawn(r.Context(), views.BulkStage(s.page(r), page))
	if err != nil {
		return page, "", err
	}
	if page.Every = pollListEvery(list, newest); page.Every > 0 {
		page.Poll = bulkPath(list.ID) + "/progress?" + url.Values{"stage": {string(list.Stage)}, "v": {version}}.Encode()
	}
	return page, version, nil
}

// newestPending is the request of a batch that can be cancelled for the longest
// time; nil where none is pending.
func (s *Server) newestPending(ctx context.Context, list erasure.Bulk) (*erasure.Request, error) {
	if list.Batch == nil || list.Batch.In[erasure.Pending] == 0 {
		return nil, nil
	}
	rs, _, err := s.db.Requests(ctx, erasure.RequestFilter{Q: list.ID.String(), State: erasure.Pending, Limit: 1})
	if err != nil || len(rs) == 0 {
		return nil, err
	}
	return &rs[0], nil
}

// pollListEvery decides how soon a list is asked for again; 0 is never.
func pollListEvery(list erasure.Bulk, newest *erasure.Request) time.Duration {
	switch {
	case list.Stage == erasure.Checked:
		return 0
	case list.Stage != erasure.Done:
		return pollBusy
	case list.Batch.In[erasure.InProgress] > 0, newest != nil && newest.Remaining <= pollDue:
		return pollSoon
	case list.Batch.In[erasure.Pending]+list.Batch.In[erasure.Failed] > 0:
		return pollLater
	}
	return 0
}

// confirmList requests what a list leads to, if its count was typed.
func (s *Server) confirmList(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	list, err := s.pathList(r)
	if err != nil {
		return err
	}
	if list.Stage != erasure.Checked {
		return s.done(w, r, bulkPath(list.ID), shown{notice: confirmedNotice(list)})
	}
	page := views.BulkPage{List: list, Confirm: r.PostForm.Get("confirm")}
	if page.Problems = wrongCount(page.Confirm, list.Found.Matched, "profiles of this list"); page.Problems != nil {
		return s.renderList(w, r, http.StatusUnprocessableEntity, page)
	}
	err = s.db.ConfirmBulk(r.Context(), list.ID, actor(r), list.Found.Matched)
	if erasure.CodeOf(err) == erasure.CodeConflict { // confirmed meanwhile
		if list, err = s.pathList(r); err != nil {
			return err
		}
		return s.done(w, r, bulkPath(list.ID), shown{notice: confirmedNotice(list)})
	}
	if erasure.CodeOf(err) == erasure.CodeNotFound {
		return errNoList
	}
	if err != nil {
		return err
	}
	s.config.WakeBulk()
	return seeOther(w, r, bulkPath(list.ID))
}

// confirmedNotice says why a form of a list's page changed nothing.
func confirmedNotice(list erasure.Bulk) string {
	if list.Batch == nil {
		return "The list is still being checked: confirm it once its counts are here."
	}
	return "This list was confirmed before, by " + list.Batch.RequestedBy + ": this is its batch."
}

// wrongCount says what is wrong with a number that was typed to confirm.
func wrongCount(typed string, count int, of string) views.Problems {
	digits := strings.Map(func(r rune) rune {
		if r == ',' || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, erasure.CleanPaste(typed))
	n, err := strconv.ParseUint(digits, 10, 63)
	var sentence string
	switch {
	case digits == "":
		sentence = "Type the number of %s, %s, to confirm."
	case err != nil:
		sentence = "Type the number of %s in digits: %s."
	case n != uint64(count):
		sentence = "That is not the number of %s, which is %s: check the counts below, and type it if they are what you want."
	default:
		return nil
	}
	return views.Problems{erasure.Errorf(erasure.CodeInvalid, sentence, of, views.Number(count)).In("confirm")}
}

// discardList gives a list up. A second click finds it given up.
func (s *Server) discardList(w http.ResponseWriter, r *http.Request) error {
	id, ok := erasure.ParseBatchID(r.PathValue("id"))
	if !ok {
		return errNoPage
	}
	err := s.db.DiscardBulk(r.Context(), id, actor(r))
	switch erasure.CodeOf(err) {
	case erasure.CodeConflict:
		return s.done(w, r, bulkPath(id), shown{notice: "This list was confirmed before it was given up: its batch can be cancelled here instead.", note: true})
	case erasure.CodeNotFound:
		return s.done(w, r, "/bulk", shown{notice: "The list was gone already: nothing of it was requested.", note: true})
	}
	if err != nil {
		return err
	}
	return s.done(w, r, "/bulk", shown{notice: "The list is given up: nothing of it was requested."})
}

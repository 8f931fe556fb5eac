package handlers

import (
	"net/http"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/views"
)

// pathBatch reads the list that the path names, which has to be confirmed.
// n is how many requests a cancel is confirmed by: while the list is being
// queued those that it may have, then those that are pending.
func (s *Server) pathBatch(r *http.Request) (list erasure.Bulk, n int, err error) {
	if list, err = s.pathList(r); err != nil {
		return list, 0, err
	}
	if list.Batch == nil {
		return list, 0, errNotConfirmed
	}
	if list.Stage == erasure.Queueing {
		if list.Found.Matched > 0 {
			return list, list.Found.Matched, nil
		}
		return list, list.Lines, nil // of a script, which nobody has counted
	}
	newest, err := s.newestPending(r.Context(), list)
	if err != nil || newest == nil || !newest.Cancellable {
		return list, 0, err
	}
	return list, list.Batch.In[erasure.Pending], nil
}

var errNotConfirmed = erasure.Errorf(erasure.CodeConflict, "Give the list up on its page instead: it is not confirmed, and nothing of it was requested.")

func (s *Server) showListCancel(w http.ResponseWriter, r *http.Request) error {
	list, n, err := s.pathBatch(r)
	if err != nil {
		return err
	}
	if n == 0 {
		return s.refuseListCancel(w, r, list)
	}
	return s.renderListCancel(w, r, http.StatusOK, list, views.BulkCancelForm{Count: n})
}

func (s *Server) renderListCancel(w http.ResponseWriter, r *http.Request, status int, list erasure.Bulk, form views.BulkCancelForm) error {
	form.Kept = s.config.KeepCancelled
	return render(w, r, status, views.BulkCancel(s.page(r), list, form))
}

// refuseListCancel says why nothing of a batch can be cancelled any more.
func (s *Server) refuseListCancel(w http.ResponseWriter, r *http.Request, list erasure.Bulk) error {
	in := list.Batch.In
	sentence := "The cancel window has passed: follow the requests of this batch in the Deletion Logs."
	switch queued := list.Batch.Queued(); {
	case queued == 0:
		sentence = "This batch made no request: nothing is left to do."
	case in[erasure.Cancelled] == queued:
		sentence = "This batch was cancelled before: nothing is left to do."
	case in[erasure.Completed]+in[erasure.Cancelled] == queued:
		sentence = "This batch is completed: what was erased cannot be brought back."
	}
	return s.renderListCancel(w, r, http.StatusConflict, list, views.BulkCancelForm{
		Problems: views.Problems{erasure.Errorf(erasure.CodeConflict, "%s", sentence)},
	})
}

// cancelList ends what is pending of a batch, if the count of that was typed.
func (s *Server) cancelList(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	list, n, err := s.pathBatch(r)
	if err != nil {
		return err
	}
	if n == 0 {
		return s.refuseListCancel(w, r, list)
	}
	form := views.BulkCancelForm{Count: n, Confirm: r.PostForm.Get("confirm")}
	if form.Problems = wrongCount(form.Confirm, n, "requests that can be cancelled"); form.Problems != nil {
		return s.renderListCancel(w, r, http.StatusUnprocessableEntity, list, form)
	}
	before := list.Batch.In[erasure.Cancelled]
	batch, err := s.db.CancelBatch(r.Context(), list.ID, actor(r), erasure.Console)
	switch erasure.CodeOf(err) {
	case erasure.CodeTooLate, erasure.CodeNotPending:
		if list, err = s.pathList(r); err != nil {
			return err
		}
		return s.refuseListCancel(w, r, list)
	}
	if err != nil {
		return err
	}
	return s.done(w, r, bulkPath(list.ID), shown{notice: cancelNotice(batch.In[erasure.Cancelled]-before, batch)})
}

func cancelNotice(cancelled int, b erasure.Batch) string {
	if b.Queued() == 0 {
		return "The batch is cancelled before a request was made."
	}
	notice := "Requests cancelled: " + views.Number(cancelled) + "."
	if left := b.Queued() - b.In[erasure.Cancelled]; left > 0 {
		notice += " Too late to cancel: " + views.Number(left) + "."
	}
	return notice
}

package handlers

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/efface/efface/store/erasure"
)

var resultColumns = []string{"line", "result", "request_id", "detail"}

var errNotQueued = erasure.Errorf(erasure.CodeConflict, "Wait until the list is queued: there is no result of it before.")

// exportResults streams what became of each line of a list. It names nobody.
func (s *Server) exportResults(w http.ResponseWriter, r *http.Request) error {
	list, err := s.pathList(r)
	if err != nil {
		return err
	}
	if list.Stage != erasure.Done {
		return errNotQueued
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="`+list.ID.String()+`.csv"`)
	out := newCSV(w)
	var gone error // the client went away or stalled, and the error names its address
	rows := 0
	write := func(row []string) error {
		if rows%rowsPerRead == 0 {
			out.Flush()
			gone = errors.Join(out.Error(), moveDeadlines(w))
		}
		rows++
		if gone == nil {
			gone = out.Write(row)
		}
		return gone
	}
	err = write(resultColumns)
	if err == nil {
		err = s.db.BulkResults(r.Context(), list.ID, func(l erasure.LineResult) error { return write(resultRow(l)) })
	}
	out.Flush()
	switch {
	case gone != nil || out.Error() != nil:
		return breakOff(r, nil)
	case err != nil:
		return breakOff(r, err)
	}
	return nil
}

func resultRow(l erasure.LineResult) []string {
	row := []string{strconv.Itoa(l.Line), string(l.Outcome), "", harmless(l.Detail)}
	if l.Request != nil {
		row[2] = l.Request.String()
	}
	return row
}

package handlers

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/efface/efface/store/erasure"
)

var csvColumns = []string{"request_id", "table", "efface_id", "state", "origin", "requested_by", "requested_at", "cancel_before",
	"started_at", "finished_at", "identifiers", "records", "attempts", "last_error", "reference"}

const (
	rowsPerRead  = 500
	exportStalls = time.Minute // for as long as a client may take for what one read gave
)

// exportLogs streams the requests that a filter chooses, a read at a time, so
// that neither memory nor a read transaction grows with the log. An export is
// logged before it begins.
func (s *Server) exportLogs(w http.ResponseWriter, r *http.Request) error {
	filter, ps := s.filter(typedFilter(r.URL.Query()))
	if ps != nil {
		return ps[0]
	}
	filter.Limit, filter.Cursor = rowsPerRead, r.URL.Query().Get("cursor")
	requests, next, err := s.db.Requests(r.Context(), filter)
	if err != nil {
		return err
	}
	if err := s.db.LogExport(r.Context(), actor(r)); err != nil {
		return err
	}
	size, err := s.db.Checkpoint(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Link", fmt.Sprintf(`</logs/checkpoint?size=%d>; rel="describedby"`, size))
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="deletion-logs.csv"`)
	out := newCSV(w)
	if err := out.Write(csvColumns); err != nil {
		return breakOff(r, nil)
	}
	for {
		if err := errors.Join(moveDeadlines(w), writeRequests(out, requests)); err != nil {
			return breakOff(r, nil) // the client went away or stalled, and the error names its address
		}
		if next == "" {
			return nil
		}
		filter.Cursor = next
		if requests, next, err = s.db.Requests(r.Context(), filter); err != nil {
			return breakOff(r, err)
		}
	}
}

// newCSV writes as RFC 4180 has it.
func newCSV(w io.Writer) *csv.Writer {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	return out
}

// moveDeadlines gives the next rows as much time as a page has.
func moveDeadlines(w http.ResponseWriter) error {
	c, until := http.NewResponseController(w), time.Now().Add(exportStalls)
	return errors.Join(c.SetWriteDeadline(until), c.SetReadDeadline(until))
}

// breakOff ends an answer that has begun so that no client takes a part of it
// for the whole. The error is for the log; nil means that nobody is there.
func breakOff(r *http.Request, err error) error {
	v := visitOf(r)
	if v.gone = err == nil || r.Context().Err() != nil; !v.gone {
		v.failure = err
	}
	panic(http.ErrAbortHandler)
}

func writeRequests(out *csv.Writer, rs []erasure.Request) error {
	for _, r := range rs {
		if err := out.Write(csvRow(r)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func csvRow(r erasure.Request) []string {
	row := []string{r.ID.String(), string(r.Table), "", string(r.State), string(r.Origin), r.RequestedBy,
		csvTime(r.RequestedAt), csvTime(r.CancelBefore), csvTime(r.StartedAt), csvTime(r.FinishedAt),
		strconv.Itoa(r.Identifiers), strconv.Itoa(r.Records), strconv.Itoa(r.Attempts), r.LastError, r.Reference}
	if r.EffaceID != nil {
		row[2] = r.EffaceID.String()
	} else if r.FromLog { // a restore does not know whose it was
		row[1] = ""
	}
	for i := range row {
		row[i] = harmless(row[i])
	}
	return row
}

func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// harmless keeps a spreadsheet from reading a cell as a formula: a quotation
// mark before it makes it text.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

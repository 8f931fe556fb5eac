package handlers

import (
	"bufio"
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// batch is a batch as Efface's own API tells of it.
type batch struct {
	ID        string `json:"id"`
	Requested int    `json:"requested"`
	Matched   int    `json:"matched"`
	Queued    int    `json:"queued"`
	Completed int    `json:"completed"`
	Failed    int    `json:"failed"`
	Cancelled int    `json:"cancelled"`
}

func batchOf(b erasure.Batch) batch {
	return batch{
		ID: b.ID.String(), Requested: b.Requested, Matched: b.Matched, Queued: b.Queued(),
		Completed: b.In[erasure.Completed], Failed: b.In[erasure.Failed], Cancelled: b.In[erasure.Cancelled],
	}
}

// batchResult is what became of a line.
type batchResult struct {
	Line       int                  `json:"line"`
	Status     erasure.BatchOutcome `json:"status"`
	DeletionID *string              `json:"deletion_id"`
	Detail     *string              `json:"detail"`
	Matches    int                  `json:"matches,omitzero"` // with shared
}

func batchResultOf(l erasure.LineResult) batchResult {
	r := batchResult{Line: l.Line, Status: l.Outcome, Detail: wire.OrNull(l.Detail), Matches: l.Matches}
	if l.Request != nil {
		r.DeletionID = new(l.Request.String())
	}
	return r
}

// writeBatch streams what became of each line, in the form that they came in.
func (s *Server) writeBatch(w http.ResponseWriter, r *http.Request, id erasure.BatchID, ndjson bool) error {
	ctx := context.WithoutCancel(r.Context()) // queueing may have outlasted the time to read; that the client went away shows at the write
	b, err := s.db.Batch(ctx, id)
	if err != nil {
		return err
	}
	head, err := json.Marshal(struct {
		Batch batch `json:"batch"`
	}{batchOf(b)})
	if err != nil {
		return err
	}
	out := resultWriter{w: w, out: bufio.NewWriterSize(w, 64<<10), ndjson: ndjson}
	w.Header().Set("Location", "/api/v1/batches/"+id.String())
	w.Header().Set("Content-Type", out.contentType())
	w.WriteHeader(http.StatusAccepted)
	if !ndjson {
		out.write(string(head[:len(head)-1]) + `,"results":[`)
	}
	if err := s.db.BulkResults(ctx, id, out.add); err != nil && !errors.Is(err, errGone) {
		return breakOff(r, err)
	} else if err != nil {
		return breakOff(r, nil)
	}
	if ndjson {
		out.write(string(head) + "\n")
	} else {
		out.write("]}\n")
	}
	if out.out.Flush() != nil {
		return breakOff(r, nil)
	}
	return nil
}

// errGone is that a client went away or stalled. What net/http says of that
// names its address.
var errGone = errors.New("the client went away")

// resultWriter writes the results of a list, and gives each few hundred as much
// time as a page has.
type resultWriter struct {
	w      http.ResponseWriter
	out    *bufio.Writer // keeps its first error until it is flushed
	ndjson bool
	n      int
}

func (o *resultWriter) contentType() string {
	if o.ndjson {
		return "application/x-ndjson"
	}
	return "application/json"
}

func (o *resultWriter) write(text string) { _, _ = o.out.WriteString(text) }

func (o *resultWriter) add(l erasure.LineResult) error {
	text, err := json.Marshal(batchResultOf(l))
	if err != nil {
		return err
	}
	if !o.ndjson && o.n > 0 {
		o.write(",")
	}
	_, _ = o.out.Write(text)
	if o.ndjson {
		o.write("\n")
	}
	if o.n++; o.n%rowsPerRead == 0 && errors.Join(o.out.Flush(), moveDeadlines(o.w)) != nil {
		return errGone
	}
	return nil
}

func (s *Server) readBatch(w http.ResponseWriter, r *http.Request, _ erasure.APIKey) error {
	id, ok := erasure.ParseBatchID(r.PathValue("id"))
	if !ok {
		return store.ErrNoBatch
	}
	found, err := s.db.Batch(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, batchOf(found))
}

func (s *Server) cancelBatch(w http.ResponseWriter, r *http.Request, key erasure.APIKey) error {
	body, err := readNothing(w, r)
	if err != nil {
		return err
	}
	id, ok := erasure.ParseBatchID(r.PathValue("id"))
	if !ok {
		return store.ErrNoBatch
	}
	mark, err := once(r, body)
	if err != nil {
		return err
	}
	cancelled, err := s.db.CancelBatchOnce(r.Context(), id, wire.Actor(key), erasure.API, mark)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, batchOf(cancelled))
}

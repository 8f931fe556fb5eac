package lytics

import (
	"context"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

var queueContract = erasure.JSONContract{Members: erasure.Members{"values": nil}}

// Queue asks for everyone that the values of one field lead to, and answers
// with a request id for each.
func (h *Handler) Queue(w http.ResponseWriter, r *http.Request) error {
	c, err := h.enter(r)
	if err != nil {
		return err
	}
	defer c.leave()
	var b struct {
		Values []jsontext.Value `json:"values"`
	}
	if err := read(w, r, &b, queueContract); err != nil {
		return err
	}
	if len(b.Values) == 0 || len(b.Values) > store.BatchLimit {
		return errCount
	}
	of, err := identifier(r.PathValue("table"), r.PathValue("field"), "")
	if err != nil {
		return err
	}
	values, errs, err := distinct(b.Values)
	if err != nil {
		return err
	}
	asked := make([]erasure.Identifier, len(values))
	for i, v := range values {
		asked[i] = of
		asked[i].Value = v
	}
	q := queued{Successes: map[string]string{}, Errors: errs}
	id, err := h.queue(r.Context(), values, asked, c.actor, q)
	if err != nil {
		return err
	}
	return write(w, http.StatusAccepted, answer[queued]{Data: q, Status: http.StatusAccepted, Message: success, RequestID: id})
}

// distinct takes each string once. What is none, or empty, is an error under
// its JSON text.
func distinct(given []jsontext.Value) (values []string, errs map[string]string, err error) {
	seen := map[string]bool{}
	errs = map[string]string{}
	for _, v := range given {
		text, ok := asString(v)
		switch {
		case v.Kind() == '{', v.Kind() == '[':
			return nil, nil, erasure.Errorf(erasure.CodeInvalid, "Give values as an array of strings.")
		case !ok, text == "":
			errs[string(v)] = "Give each value as a string that is not empty."
		case !seen[text]:
			seen[text] = true
			values = append(values, text)
		}
	}
	return values, errs, nil
}

// queue adds to q what became of each value. It makes no batch where there is
// nobody to ask for.
func (h *Handler) queue(ctx context.Context, values []string, asked []erasure.Identifier, actor erasure.Actor, q queued) (id string, err error) {
	if len(asked) == 0 {
		return "", nil
	}
	made, results, err := h.requestBatch(ctx, asked, actor)
	if err != nil {
		return "", err
	}
	for i, result := range results {
		if len(result.Requests) == 0 {
			q.Errors[q.entry(values[i])] = result.Detail
		} else if q.Successes[values[i]], err = h.requestID(ctx, result, made.ID); err != nil {
			return "", err
		}
	}
	return made.ID.String(), nil
}

// entry is under what an error about a string stands. One that reads as the
// JSON text of another value, as the string "null" does, stands under its own
// JSON text where that value has an error too.
func (q queued) entry(value string) string {
	for q.Errors[value] != "" {
		text, err := jsontext.AppendQuote(nil, value)
		if err != nil { // it was read from JSON
			panic(err)
		}
		value = string(text)
	}
	return value
}

// requestID is that of the one request that a value led to or, where it led to
// several, of the batch that holds the newest of them: sent again, a value
// gets the same.
func (h *Handler) requestID(ctx context.Context, result erasure.BatchResult, made erasure.BatchID) (string, error) {
	if len(result.Requests) == 1 {
		return result.Requests[0].String(), nil
	}
	if result.Outcome == erasure.Queued {
		return made.String(), nil
	}
	newest := ""
	for _, id := range result.Requests {
		r, err := h.db.Request(ctx, id)
		if err != nil {
			return "", err
		}
		if r.Batch != nil {
			newest = max(newest, r.Batch.String())
		}
	}
	if newest == "" {
		newest = result.Requests[len(result.Requests)-1].String()
	}
	return newest, nil
}

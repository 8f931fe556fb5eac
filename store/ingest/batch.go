package ingest

import (
	"errors"
	"iter"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store/erasure"
)

// What a batch may hold, as Segment has it.
const (
	BatchSize   = 500 << 10 // in bytes
	BatchEvents = 2500
)

// lentSize bounds what the context of a batch may make of its events, each of
// which is kept with it.
const lentSize = 16 << 20

// wireBatch is a batch of calls as SDKs send it.
type wireBatch struct {
	Batch     []jsontext.Value `json:"batch"`
	Context   jsontext.Value   `json:"context"`
	Timestamp string           `json:"timestamp"`
}

var batchContract = erasure.JSONContract{Null: true, Members: erasure.Members{
	"batch": contract.Members, "context": nil, "timestamp": nil, "sentAt": nil, "writeKey": nil,
}}

// Event is one call of a batch, or why it is none.
type Event struct {
	Call Call // as [ParseCall] gives it
	Err  error
}

// ParseBatch reads the events of a batch, in their order. What an event lacks of
// context or time is the batch's. Its error, an [erasure.Error], refuses the
// batch as a whole: its JSON is not what it must be, anywhere in it, or there
// is too much of it. An event is read when it is asked for: with what the batch
// lends them, all at once would be some ten times the batch.
func ParseBatch(raw []byte) (iter.Seq[Event], error) {
	w, err := readBatch(raw)
	if err != nil {
		return nil, err
	}
	around := beside{timestamp: w.Timestamp}
	switch w.Context.Kind() {
	case jsontext.KindInvalid, 'n':
	case '{':
		if err := json.Unmarshal(w.Context, &around.context); err != nil {
			return nil, err
		}
	default:
		return nil, refuse("Give context as an object.")
	}
	return func(yield func(Event) bool) {
		for _, one := range w.Batch {
			if !yield(readEvent(one, around)) {
				return
			}
		}
	}, nil
}

func readEvent(one jsontext.Value, around beside) (e Event) {
	if e.Err = checkSize(one); e.Err == nil {
		e.Call, e.Err = readCall(one, around)
	}
	return e
}

func readBatch(raw []byte) (*wireBatch, error) {
	if len(raw) > BatchSize {
		return nil, refuse("Send %d bytes in a batch at most, counted unpacked.", BatchSize)
	}
	if err := batchContract.Check(raw); err != nil {
		return nil, err
	}
	var w wireBatch
	if err := json.Unmarshal(raw, &w); err != nil {
		s, ok := errors.AsType[*json.SemanticError](err)
		if ok && strings.HasPrefix(string(s.JSONPointer), "/timestamp") {
			return nil, refuse("Give timestamp as text.")
		}
		return nil, refuse("Give the batch as an object with the array batch.")
	}
	switch {
	case w.Batch == nil:
		return nil, refuse("Give the calls in the array batch.")
	case len(w.Batch) > BatchEvents:
		return nil, refuse("Send %d events in a batch at most.", BatchEvents)
	case len(w.Context) > EventSize || len(w.Context)*len(w.Batch) > lentSize:
		return nil, refuse("Shorten the batch's context: each of its events is kept with it.")
	}
	return &w, nil
}

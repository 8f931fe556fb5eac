package ingest

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// wireRecord is an event as it is kept. Ids and traits are not in it: they
// stand with the profile, and would be kept twice.
type wireRecord struct {
	Type       Kind           `json:"type"`
	Event      string         `json:"event,omitzero"`
	Name       string         `json:"name,omitzero"`
	Category   string         `json:"category,omitzero"`
	GroupID    string         `json:"groupId,omitzero"`
	Timestamp  string         `json:"timestamp,omitzero"`
	Properties jsontext.Value `json:"properties,omitzero"`
	Context    jsontext.Value `json:"context,omitzero"`
}

// record returns the event to keep, as compact JSON, or nil where the kind of
// call is none. A member's joining of a group is one.
func record(kind Kind, w *wireCall) ([]byte, error) {
	r := wireRecord{Type: kind, Timestamp: w.timestamp(), Properties: w.Properties, Context: w.Context}
	switch kind {
	case Track:
		r.Event = w.Event
	case Page, Screen:
		r.Name, r.Category = w.Name, w.Category
	case Group:
		r.GroupID, r.Properties = string(w.GroupID), nil
	default:
		return nil, nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	v := jsontext.Value(b)
	err = v.Compact()
	return v, err
}

// Unidentified returns a record without what its context says of who the person
// is: the context's traits and external ids.
func Unidentified(record []byte) ([]byte, error) {
	var r map[string]jsontext.Value
	if err := json.Unmarshal(record, &r); err != nil || r["context"] == nil {
		return record, err
	}
	var ctx map[string]jsontext.Value
	if err := json.Unmarshal(r["context"], &ctx); err != nil {
		return nil, err
	}
	delete(ctx, "traits")
	delete(ctx, "externalIds")
	var err error
	if r["context"], err = json.Marshal(ctx, json.Deterministic(true)); err != nil {
		return nil, err
	}
	return json.Marshal(r, json.Deterministic(true))
}

func (w *wireCall) timestamp() string {
	if w.Timestamp != "" {
		return w.Timestamp
	}
	return w.OriginalTimestamp
}

// timeLayouts are the forms of ISO 8601 that SDKs send; without a zone it is
// UTC.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", time.DateOnly,
}

func (w *wireCall) at() (time.Time, error) {
	s := w.timestamp()
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, strings.Replace(s, " ", "T", 1)); err == nil {
			if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
				return time.Time{}, refuse("Give a timestamp of the years 0000 to 9999 in UTC.")
			}
			return t, nil
		}
	}
	return time.Time{}, refuse("Give timestamp in the form 2026-01-31T12:00:00Z.")
}

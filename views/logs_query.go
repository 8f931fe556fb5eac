package views

import (
	"net/url"
	"time"
)

// Query is the filter as a URL's query, without what is empty.
func (f LogsFilter) Query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"state": f.State, "origin": f.Origin, "from": f.From, "to": f.To, "q": f.Q} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

func (f LogsFilter) isSet() bool { return f != LogsFilter{} }

// noneText says what to do where nothing fits the filter.
func (f LogsFilter) noneText() string {
	if f.Q == "" {
		return "Choose less narrowly, or clear the filter."
	}
	return "IDs and references are found exactly as they are: check them, or clear the filter."
}

func (f LogsFilter) path(path, cursor string) string {
	q := f.Query()
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// older is the path of the page after this one, "" for the last.
func (l LogsPage) older() string {
	if l.Next == "" {
		return ""
	}
	return l.Filter.path("/logs", l.Next)
}

// trigger is when htmx asks for the rows again.
func (l LogsPage) trigger() string {
	return "every " + l.Every.Round(time.Second).String()
}

// dateKind is the kind of a field for a day. A browser shows a date field with
// anything else in it as empty, so that is shown as text.
func dateKind(typed string) string {
	if _, err := time.Parse(time.DateOnly, typed); err != nil && typed != "" {
		return "text"
	}
	return "date"
}

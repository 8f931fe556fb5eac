package wire

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/efface/efface/store/erasure"
)

// API is one of the doors by which scripts ask: what is served, and what the
// page /developers tells of it.
type API struct {
	Name   string
	Key    func(account, token string) []string // the headers that carry a key
	Routes []Route
}

// Route is one route of an API.
type Route struct {
	Method   string
	Path     string // of http.ServeMux
	Scope    erasure.Scope
	Body     int64  // bytes that a request may carry; 0 is none
	Does     string // a short sentence
	Examples []Example
	Handle   func(w http.ResponseWriter, r *http.Request) error
}

// Example is a call of a route. Those it asks for are nobody.
type Example struct {
	Path string // with its query; "" is the route's own
	Body string // "" is none
	// Answers is a part of the answer where the key works, of an example that
	// changes nothing whoever is known; "" of any other.
	Answers string
}

// Curl writes an example as a line for a terminal.
func (a API) Curl(baseURL string, rt Route, e Example, account, token string) string {
	line := "curl -sS"
	if rt.Method != http.MethodGet && (rt.Method != http.MethodPost || e.Body == "") { // else curl chooses it
		line += " -X " + rt.Method
	}
	line += " " + quoted(baseURL+cmp.Or(e.Path, strings.TrimSuffix(rt.Path, "{$}")))
	for _, header := range a.Key(account, token) {
		line += " -H " + quoted(header)
	}
	if e.Body != "" {
		line += " -d " + quoted(e.Body)
	}
	return line
}

// quoted is a word of a shell that stands for exactly this text.
func quoted(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

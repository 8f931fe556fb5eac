package main

import (
	"context"
	"log/slog"
	"time"
)

// countedLog counts the answers that the server logs: each line named so has
// the route's pattern, a known method, the status and how long it took.
type countedLog struct {
	slog.Handler
	metrics *metrics
}

const answerLine = "request"

// Handle implements slog.Handler.
func (h countedLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == answerLine {
		h.count(r)
	}
	return h.Handler.Handle(ctx, r)
}

func (h countedLog) count(r slog.Record) {
	var route, method, status string
	var took time.Duration
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "route":
			route = a.Value.String()
		case "method":
			method = a.Value.String()
		case "status":
			status = a.Value.String()
		case "took":
			took = a.Value.Duration()
		}
		return true
	})
	h.metrics.requests.WithLabelValues(route, method, status).Observe(took.Seconds())
}

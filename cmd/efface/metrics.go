package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// metrics are what /metrics tells. Its labels are states, routes by their
// pattern, methods and statuses: nothing that a client chooses.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

func newMetrics(db *store.DB, log *slog.Logger) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "efface_http_request_duration_seconds",
			Help:    "Time to answer, by route.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10},
		}, []string{"route", "method", "status"}),
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests, storeCollector{db, log})
	return m
}

// answered is [handlers.Config]'s Answered.
func (m *metrics) answered(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Observe(took.Seconds())
}

// opsServer answers on --ops-listen alone: profiles show memory.
func opsServer(m *metrics) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
}

var (
	requestsDesc   = prometheus.NewDesc("efface_requests", "Deletion requests by state.", []string{"state"}, nil)
	overdueDesc    = prometheus.NewDesc("efface_oldest_due_seconds", "For how long the oldest open request has been due; 0 where none is.", nil, nil)
	suppressedDesc = prometheus.NewDesc("efface_suppressed_calls_total", "Calls with suppressed identifiers, by what of them was kept.", []string{"kept"}, nil)
	waitingDesc    = prometheus.NewDesc("efface_waiting_for_reader_seconds", "For how long overwritten keys have waited for an open reader.", nil, nil)
	witnessDesc    = prometheus.NewDesc("efface_witness_lag_entries", "Log entries that are not in the witness yet; above 0 for long means that it can't be written to.", nil, nil)
	misfitDesc     = prometheus.NewDesc("efface_witness_misfit", "1 where the last comparison of the witness with the store found that they do not fit, else 0.", nil, nil)
	hitsDesc       = prometheus.NewDesc("efface_check_hits", "Open requests of which the check after the deletion found something that should be gone.", nil, nil)
	heldDesc       = prometheus.NewDesc("efface_clock_held_seconds", "For how long erasures still wait because the clock jumped over a reboot.", nil, nil)
	testFailedDesc = prometheus.NewDesc("efface_test_person_failed", "1 where the last test person was not erased as promised, else 0.", nil, nil)
	testPassedDesc = prometheus.NewDesc("efface_test_person_passed_timestamp_seconds", "When a test person was last erased and found nowhere; 0 where none was yet.", nil, nil)
)

// storeCollector reads the store's figures when they are asked for.
type storeCollector struct {
	db  *store.DB
	log *slog.Logger
}

// Describe implements prometheus.Collector.
func (c storeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{requestsDesc, overdueDesc, waitingDesc, hitsDesc, heldDesc, suppressedDesc, witnessDesc, misfitDesc, testFailedDesc, testPassedDesc} {
		out <- d
	}
}

const readFor = 5 * time.Second

// Collect implements prometheus.Collector.
func (c storeCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readFor)
	defer cancel()
	g, err := c.db.Gauges(ctx)
	if err != nil {
		c.log.Error("the store's figures were not read", "error", err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, s := range erasure.States {
		gauge(requestsDesc, float64(g.Requests[s]), string(s))
	}
	for kept, calls := range map[string]int{"nothing": g.Returns.Dropped, "rest": g.Returns.Trimmed} {
		out <- prometheus.MustNewConstMetric(suppressedDesc, prometheus.CounterValue, float64(calls), kept)
	}
	gauge(overdueDesc, g.Overdue.Seconds())
	gauge(waitingDesc, g.Waiting.Seconds())
	gauge(hitsDesc, float64(g.Hits))
	gauge(heldDesc, g.Held.Seconds())
	var passed float64
	if !g.Tests.Passed.IsZero() {
		passed = float64(g.Tests.Passed.UnixMilli()) / 1000
	}
	gauge(testFailedDesc, oneWhere(!g.Tests.Failed.IsZero()))
	gauge(testPassedDesc, passed)
	gauge(witnessDesc, float64(g.Witness.Lacks))
	gauge(misfitDesc, oneWhere(g.Witness.Misfit != ""))
}

func oneWhere(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/jobs"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// drainFor is how long requests under way have to end. With what follows, the
// program stops within 10 seconds.
const drainFor = 6 * time.Second

// server is one server of a store with what runs beside it.
type server struct {
	db      *store.DB
	log     *slog.Logger
	base    string // scheme and host, as links show them
	stdout  io.Writer
	pages   endpoint
	ops     endpoint // its server is nil where it is off
	runner  *jobs.Runner
	bulk    *jobs.BulkRunner
	sweeper *jobs.Sweeper
	tester  *jobs.Tester // nil where it is off
}

// endpoint is an HTTP server with the socket that it will serve.
type endpoint struct {
	server *http.Server
	socket net.Listener
}

func (c *serveCommand) config() (config handlers.Config, err error) {
	if config.Location, err = c.location(); err != nil {
		return config, err
	}
	switch {
	case c.KeepLog.Duration < store.LogRetention:
		return config, erasure.Errorf(erasure.CodeInvalid, "Give --keep-log as 730d or more; evidence must be kept for two years at least.")
	case !(c.RatePerKey >= 0): // NaN too
		return config, erasure.Errorf(erasure.CodeInvalid, "Give --rate-per-key as 0, for any number, or more.")
	case c.AtOncePerKey < 1:
		return config, erasure.Errorf(erasure.CodeInvalid, "Give --at-once-per-key as 1 or more.")
	case c.CleverTapConcurrency < 0:
		return config, erasure.Errorf(erasure.CodeInvalid, "Give --clevertap-concurrency as 0, for any number, or more.")
	}
	if err := erasure.CheckRegion(c.PhoneRegion); err != nil {
		return config, err
	}
	for _, n := range c.TrustedProxy {
		config.TrustedProxies = append(config.TrustedProxies, n.Prefix)
	}
	config.CancelWindow, config.SuppressFor, config.KeepCancelled = c.CancelWindow.Duration, c.SuppressFor.Duration, c.KeepCancelled.Duration
	config.Suppress, config.TestPersons = c.Suppress, c.TestPerson
	config.RatePerKey, config.AtOncePerKey = c.RatePerKey, c.AtOncePerKey
	config.CleverTapConcurrency = c.CleverTapConcurrency
	return config, nil
}

// newServer makes the server that answers on socket, and closes it where it
// can't.
func newServer(ctx context.Context, c *serveCommand, db *store.DB, socket net.Listener, config handlers.Config, stdout io.Writer) (_ *server, err error) {
	s := &server{
		db: db, log: config.Logger, base: config.BaseURL, stdout: stdout, pages: endpoint{socket: socket},
		runner:  jobs.NewRunner(db, config.Logger),
		sweeper: jobs.NewSweeper(db, store.SweepOptions{KeepCancelled: c.KeepCancelled.Duration, KeepLog: c.KeepLog.Duration}, config.Logger),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	s.bulk = jobs.NewBulkRunner(db, s.runner.Wake, config.Logger)
	config.Wake, config.WakeBulk = s.runner.Wake, s.bulk.Wake
	if c.TestPerson {
		s.tester = jobs.NewTester(db, s.runner.Wake, searchIn(db.Options()), config.Logger)
	}
	m := newMetrics(db, s.log)
	config.Answered = m.answered
	site, err := handlers.New(db, config)
	if err != nil {
		return nil, err
	}
	s.pages.server = site.HTTPServer()
	if c.OpsListen != "" {
		if s.ops.socket, err = listen(ctx, "--ops-listen", c.OpsListen); err != nil {
			return nil, err
		}
		s.ops.server = opsServer(m)
		s.log.Info("metrics and profiles are served", "address", s.ops.socket.Addr().String())
	}
	return s, nil
}

// listen takes an address, or says in a sentence why not.
func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, erasure.Errorf(erasure.CodeConflict, "Another program listens on %s; stop it, or give another %s.", address, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, erasure.Errorf(erasure.CodeInvalid, "This user may not listen on %s; give %s a port from 1024 on.", address, flag)
	case err != nil:
		return nil, erasure.Errorf(erasure.CodeInvalid, "It is not possible to listen on %s; give %s an address of this machine such as 127.0.0.1:8080.", address, flag)
	}
	return l, nil
}

// reachable gives an address that a browser on this machine can open.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return a.String()
	}
	return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
}

// run serves until ctx ends, drains, and returns once nothing runs any more.
func (s *server) run(ctx context.Context) error {
	background := context.WithoutCancel(ctx)
	claiming, stopRunner := context.WithCancel(background)
	defer stopRunner()
	sweeping, stopSweeper := context.WithCancel(background)
	defer stopSweeper()
	var running sync.WaitGroup
	running.Go(func() { s.runner.Run(claiming) })
	running.Go(func() { s.bulk.Run(claiming) })
	running.Go(func() { s.sweeper.Run(sweeping) })
	if s.tester != nil {
		running.Go(func() { s.tester.Run(claiming) })
	}
	failed := make(chan error, 2)
	for _, e := range s.endpoints() {
		running.Go(func() { failed <- e.serve() })
	}
	var err error
	select {
	case <-ctx.Done():
		s.log.Info("stopping")
	case err = <-failed:
	}
	stopRunner()
	err = errors.Join(err, s.drain(background))
	stopSweeper() // after the drain, for at its end it notes the keys that requests came with
	running.Wait()
	return err
}

func (e endpoint) serve() error {
	if err := e.server.Serve(e.socket); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

func (s *server) endpoints() (all []endpoint) {
	for _, e := range []endpoint{s.pages, s.ops} {
		if e.server != nil {
			all = append(all, e)
		}
	}
	return all
}

// drain takes no new request, lets those under way end, and after a while
// breaks them off: what was acknowledged is in the store.
func (s *server) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainFor)
	defer cancel()
	var errs []error
	for _, e := range s.endpoints() {
		err := e.server.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			s.log.Warn("requests were broken off")
			err = e.server.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// close gives the addresses up where the server does not come to run.
func (s *server) close() error {
	var errs []error
	for _, e := range []endpoint{s.pages, s.ops} {
		if e.socket != nil {
			errs = append(errs, e.socket.Close())
		}
	}
	return errors.Join(errs...)
}

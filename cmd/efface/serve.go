package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"runtime/debug"
	"time"
	_ "time/tzdata" // so that --time-zone needs nothing of the machine

	"github.com/alecthomas/kong"
	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

type serveCommand struct {
	storeFlags
	Listen       string    `help:"Address to listen on." default:"${listen}" placeholder:"ADDR"`
	OpsListen    string    `help:"Address for /metrics and pprof; off unless given." placeholder:"ADDR"`
	CancelWindow span      `help:"For how long a new request may be cancelled." default:"${cancel_window}" placeholder:"DURATION"`
	BaseURL      baseURL   `help:"Scheme and host under which people reach the server; https:// means TLS in front." placeholder:"URL"`
	TrustedProxy []network `help:"Network of proxies whose X-Forwarded-For is believed." placeholder:"CIDR"`
	PhoneRegion  string    `help:"Country for phone numbers without one; fixed in the store at first use." placeholder:"CC"`
	TimeZone     string    `help:"Time zone of the times on pages." default:"UTC" placeholder:"NAME"`

	Suppress          bool     `help:"Whether the console and Efface's own API ask, where nothing else is chosen, that a person is not collected again." default:"false"`
	SuppressFor       span     `help:"How long a suppression lasts." default:"${suppress_for}" placeholder:"DURATION"`
	KeyLimit          keyLimit `help:"How many identifiers of one key a profile may have." default:"${key_limit}" placeholder:"N"`
	KeepCancelled     span     `help:"How long the identifier and reason of a cancelled request are kept." default:"${keep_cancelled}" placeholder:"DURATION"`
	KeepKeyringCopies span     `help:"How long backups of the keyring are kept; receipts say until when." default:"${keep_keyring_copies}" placeholder:"DURATION"`
	KeepLog           span     `help:"How long the content of the deletion log is kept, 730d at least; its hashes stay." default:"${keep_log}" placeholder:"DURATION"`
	TestPerson        bool     `help:"Whether a person is made up each day, erased at once, and then looked for in every file of the store." default:"true"`
	RatePerKey        float64  `help:"Requests a second that one API key may make; 0 is any number." default:"0" placeholder:"N"`
	AtOncePerKey      int      `help:"Requests of one API key that are answered at once." default:"${at_once}" placeholder:"N"`

	CleverTapConcurrency int `name:"clevertap-concurrency" help:"Requests of CleverTap's API that an account may have at once; 0 is any number." default:"${clevertap}" placeholder:"N"`
}

// Run implements the command.
func (c *serveCommand) Run(ctx context.Context, p program, k *kong.Kong) error {
	return stoppedAtStart(ctx, c.serve(ctx, p, k, slog.NewTextHandler(p.stderr, nil), (*server).printSetUp))
}

// stoppedAtStart says that a signal which comes before the server runs is as
// good an end as any.
func stoppedAtStart(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// serve opens the store and serves it until ctx ends. greet prints the address
// and what else there is to say, once it is listened to.
func (c *serveCommand) serve(ctx context.Context, p program, k *kong.Kong, log slog.Handler, greet func(*server, context.Context) error) (err error) {
	if p.assets() != nil {
		return erasure.Errorf(erasure.CodeInvalid, "The pages' style sheets and scripts are not built in; run make build.")
	}
	config, err := c.config()
	if err != nil {
		return misuse{err}
	}
	config.Logger = slog.New(log)
	p.collectLess()
	db, err := store.Open(ctx, c.options(config.Logger))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	socket, err := listen(ctx, "--listen", c.Listen)
	if err != nil {
		return err
	}
	if err := c.settle(ctx, p, db, socket.Addr()); err != nil {
		return errors.Join(err, socket.Close())
	}
	config.BaseURL, config.Settings = string(c.BaseURL), settings(serveNode(k))
	s, err := newServer(ctx, c, db, socket, config, p.stdout)
	if err != nil {
		return err
	}
	if err := greet(s, ctx); err != nil {
		return errors.Join(err, s.close())
	}
	return s.run(ctx)
}

// How the server collects garbage unless GOGC and GOMEMLIMIT say otherwise. Its
// heap is small: to let it grow to five times what is in use costs some tens of
// megabytes, and makes intake a fifth faster.
const (
	gcPercent   = 400
	memoryLimit = 1 << 30 // bytes, from where on it collects as often as it takes
)

func (p program) collectLess() {
	if _, set := p.env("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	if _, set := p.env("GOMEMLIMIT"); !set {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// settle puts what is in force in the place of what was left out, for Settings
// to show, and notes in the store what commands beside the server go by.
func (c *serveCommand) settle(ctx context.Context, p program, db *store.DB, address net.Addr) error {
	if err := p.fixRegion(ctx, db, c.PhoneRegion); err != nil {
		return err
	}
	var err error
	if c.PhoneRegion, err = db.Region(ctx); err != nil {
		return err
	}
	o := db.Options()
	for flag, path := range map[*string]string{&c.Data: o.Dir, &c.MasterKey: o.MasterKey, &c.Keyring: o.Keyring, &c.LogKey: o.LogKey, &c.Witness: o.Witness} {
		if *flag, err = filepath.Abs(path); err != nil {
			return err
		}
	}
	c.Listen = address.String()
	if c.BaseURL == "" {
		c.BaseURL = baseURL("http://" + reachable(address))
	}
	return db.SetBaseURL(ctx, string(c.BaseURL))
}

func (c *serveCommand) options(log *slog.Logger) store.Options {
	c.storeFlags.keyLimit = c.KeyLimit
	o := c.storeFlags.options()
	o.CancelWindow, o.SuppressFor, o.Serve, o.Logger = c.CancelWindow.Duration, c.SuppressFor.Duration, true, log
	o.KeepKeyringCopies = c.KeepKeyringCopies.Duration
	return o
}

// location reads --time-zone. The machine's own zone has no name to rely on.
func (c *serveCommand) location() (*time.Location, error) {
	l, err := time.LoadLocation(c.TimeZone)
	if err != nil || c.TimeZone == "Local" {
		return nil, erasure.Errorf(erasure.CodeInvalid, "There is no time zone %q; give --time-zone a name such as Europe/Berlin.", c.TimeZone)
	}
	return l, nil
}

// printSetUp prints the address and, for an empty store, the link that makes
// its first admin.
func (s *server) printSetUp(ctx context.Context) error {
	if err := s.printAddress(); err != nil {
		return err
	}
	empty, err := s.db.Empty(ctx)
	if err != nil || !empty {
		return err
	}
	token, until, err := s.db.NewLink(ctx, erasure.Terminal, store.SetupLink, uuid.Nil)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "Make the first admin, once, until %s UTC: %s\n", until.UTC().Format(time.DateTime), linkURL(s.base, token))
	return err
}

// printAddress prints what is listened to and, where people reach it under
// another address, that one on a line of its own.
func (s *server) printAddress() error {
	listens := "http://" + s.pages.socket.Addr().String()
	text := "Efface listens on " + listens + "\n"
	if s.base != listens {
		text += "Its base URL is " + s.base + "\n"
	}
	_, err := io.WriteString(s.stdout, text)
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"time"
	_ "time/tzdata" // so that --time-zone needs nothing of the machine

	"github.com/alecthomas/kong"
	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

type serveCommand struct {
	storeFlags
	Listen       string         `help:"Address to listen on." default:"127.0.0.1:8080" placeholder:"ADDR"`
	OpsListen    string         `help:"Address for /metrics and pprof; off unless given." placeholder:"ADDR"`
	CancelWindow span           `help:"For how long a new request may be cancelled." default:"24h" placeholder:"DURATION"`
	BaseURL      string         `help:"Scheme and host under which people reach the server; https:// means TLS in front." placeholder:"URL"`
	TrustedProxy []netip.Prefix `help:"Network of proxies whose X-Forwarded-For is believed." placeholder:"CIDR"`
	PhoneRegion  string         `help:"Country for phone numbers without one; fixed in the store at first use." placeholder:"CC"`
	TimeZone     string         `help:"Time zone of the times on pages." default:"UTC" placeholder:"NAME"`

	SuppressFor   span    `help:"How long a suppression lasts." default:"1096d" placeholder:"DURATION"`
	KeepCancelled span    `help:"How long the identifier and reason of a cancelled request are kept." default:"30d" placeholder:"DURATION"`
	KeepLog       span    `help:"How long the content of the deletion log is kept, 730d at least; its hashes stay." default:"1096d" placeholder:"DURATION"`
	RatePerKey    float64 `help:"Requests a second that one API key may make; 0 is any number." default:"0" placeholder:"N"`
	AtOncePerKey  int     `help:"Requests of one API key that are answered at once; 0 is 256." default:"0" placeholder:"N"`
}

// Run implements the command.
func (c *serveCommand) Run(ctx context.Context, p program, k *kong.Kong) error {
	return stoppedAtStart(ctx, c.serve(ctx, p, k, (*server).printSetUp))
}

// stoppedAtStart says that a signal which comes before the server runs is as
// good an end as any.
func stoppedAtStart(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// serve opens the store and serves it until ctx ends. greet prints what
// follows the address.
func (c *serveCommand) serve(ctx context.Context, p program, k *kong.Kong, greet func(*server, context.Context) error) (err error) {
	if p.assets() != nil {
		return erasure.Errorf(erasure.CodeInvalid, "The pages' style sheets and scripts are not built in; run make build.")
	}
	config, err := c.config()
	if err != nil {
		return err
	}
	config.Logger = slog.New(slog.NewTextHandler(p.stderr, nil))
	for _, s := range settings(serveNode(k)) {
		config.Settings = append(config.Settings, s)
	}
	db, err := store.Open(ctx, c.options(config.Logger))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.FixRegion(ctx, c.PhoneRegion); err != nil {
		return err
	}
	s, err := newServer(ctx, c, db, config, p.stdout)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, "Efface listens on "+s.base)
	if err := greet(s, ctx); err != nil {
		return errors.Join(err, s.close())
	}
	return s.run(ctx)
}

func (c *serveCommand) options(log *slog.Logger) store.Options {
	o := c.storeFlags.options()
	o.CancelWindow, o.SuppressFor, o.Serve, o.Logger = c.CancelWindow.Duration, c.SuppressFor.Duration, true, log
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

// checkBase refuses a --base-url that is not a scheme and a host alone.
func checkBase(base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" ||
		u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return erasure.Errorf(erasure.CodeInvalid, "Give --base-url as a scheme and a host, such as https://efface.example.com.")
	}
	return nil
}

// printSetUp prints the link that makes the first admin of an empty store.
func (s *server) printSetUp(ctx context.Context) error {
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

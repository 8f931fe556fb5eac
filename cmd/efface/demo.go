package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

type demoCommand struct {
	Data   string `help:"Directory of the demo store." default:"./demo" placeholder:"DIR"`
	Listen string `help:"Address to listen on." default:"${listen}" placeholder:"ADDR"`
	People int    `help:"How many made people a new demo store is filled with." default:"10000" placeholder:"N"`

	CancelWindow span `help:"For how long a new request may be cancelled." default:"${cancel_window}" placeholder:"DURATION"`
}

const (
	demoOperator = "demo@example.com"
	demoKey      = "demo"
	demoAccount  = "demo" // the account id of its key for CleverTap's API
	// demoMark says in a directory that its store is a demo, and whether it is
	// filled: a demo must not open a door into a real store.
	demoMark   = "demo.state"
	markNew    = "being filled\n"
	markFilled = "filled\n"
)

// Run implements the command.
func (c *demoCommand) Run(ctx context.Context, p program, k *kong.Kong, all *cli) error {
	all.Serve.Data, all.Serve.Listen, all.Serve.CancelWindow = c.Data, c.Listen, c.CancelWindow // the rest is serve's defaults
	serve := &all.Serve
	if p.assets() == nil {
		if err := c.prepare(ctx, p, serve); err != nil {
			return err
		}
	}
	// What the demo prints stays in view: of its log only what went wrong.
	log := slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})
	return stoppedAtStart(ctx, serve.serve(ctx, p, k, log, func(s *server, ctx context.Context) error {
		fmt.Fprintln(p.stderr) // stands apart on a terminal, and stdout stays the lines alone
		defer fmt.Fprintln(p.stderr)
		return s.printDemo(ctx, fmt.Sprintf("%s operator reset-password --data %s %s", p.name, c.Data, demoOperator))
	}))
}

// prepare fills a new store. A filling that was broken off goes on.
func (c *demoCommand) prepare(ctx context.Context, p program, serve *serveCommand) error {
	if c.People < 0 || c.People > maxPeople {
		return misuse{erasure.Errorf(erasure.CodeInvalid, "Give --people as a number from 0 to %s.", thousands(maxPeople))}
	}
	mark := filepath.Join(c.Data, demoMark)
	state, err := os.ReadFile(mark)
	if string(state) == markFilled {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(c.Data, "efface.db")); err == nil {
			return erasure.Errorf(erasure.CodeConflict, "The store in %s is not a demo; give --data another directory.", c.Data)
		}
	} else if err != nil {
		return err
	}
	return c.fill(ctx, p, serve, mark)
}

// printDemo lets whoever started the demo in: nobody knows a password of it
// until reset sets one.
func (s *server) printDemo(ctx context.Context, reset string) error {
	o, err := s.db.OperatorByEmail(ctx, demoOperator)
	if err != nil {
		return err
	}
	link, _, err := s.db.NewLink(ctx, erasure.Terminal, store.SignInLink, o.ID)
	if err != nil {
		return err
	}
	key, err := newDemoKey(ctx, s.db)
	if err != nil {
		return err
	}
	if err := s.printAddress(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "Sign in, once: %s\nTry the API:   curl -sS %s/user-deletion/ -H 'X-API-Key: %s' -d '%s'\n"+
		"For another sign-in link, start the demo again; to choose a password, run\n               %s\n",
		linkURL(s.base, link), s.base, key, `{"identify_by_key":"email","identify_by_value":"bjorn.hansen@yahoo.no"}`, reset)
	return err
}

// newDemoKey makes a key for this start and ends the last one's, which nobody
// can be shown again.
func newDemoKey(ctx context.Context, db *store.DB) (string, error) {
	if err := db.RevokeKey(ctx, erasure.Terminal, demoKey); err != nil && erasure.CodeOf(err) != erasure.CodeNotFound {
		return "", err
	}
	token, _, err := db.CreateKey(ctx, erasure.Terminal, store.NewKey{Name: demoKey, Scopes: erasure.Scopes, AccountID: demoAccount})
	return token, err
}

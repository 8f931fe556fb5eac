package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/efface/efface/jobs"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// fill puts people and requests into the demo store. It may be broken off and
// done again.
func (c *demoCommand) fill(ctx context.Context, p program, serve *serveCommand, mark string) error {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return erasure.Errorf(erasure.CodeInvalid, "The directory %s can't be made; name another one with --data.", c.Data)
	}
	if err := os.WriteFile(mark, []byte(markNew), 0o600); err != nil {
		return erasure.Errorf(erasure.CodeInvalid, "Efface cannot write in %s; name another directory with --data.", c.Data)
	}
	fmt.Fprintf(p.stderr, "Filling the demo store with %s made people and the sample data.\n", thousands(c.People))
	began := time.Now()
	// The first requests' window is over at once, so that the log has some
	// that are completed.
	for _, part := range []struct {
		window time.Duration
		do     func(context.Context, *store.DB) error
	}{
		{time.Millisecond, func(ctx context.Context, db *store.DB) error { return c.fillPeople(ctx, p, db) }},
		{time.Millisecond, c.fillCompleted},
		{time.Millisecond, func(ctx context.Context, db *store.DB) error {
			return fillFrom(ctx, p, db, "again.ndjson", "website", func() (io.ReadCloser, error) { return generated(callsAgain, c.People), nil })
		}},
		{serve.CancelWindow.Duration, c.fillOpen},
	} {
		o := serve.options(slog.New(slog.DiscardHandler))
		o.CancelWindow = part.window
		db, err := store.Open(ctx, o)
		if err != nil {
			return err
		}
		if err := errors.Join(db.Explain(part.do(ctx, db)), db.Close()); err != nil {
			return err
		}
	}
	fmt.Fprintf(p.stderr, "The demo store is filled, in %s.\n", time.Since(began).Round(100*time.Millisecond))
	return os.WriteFile(mark, []byte(markFilled), 0o600)
}

// fillPeople imports as efface import does.
func (c *demoCommand) fillPeople(ctx context.Context, p program, db *store.DB) error {
	if _, err := db.FixRegion(ctx, ""); err != nil {
		return err
	}
	made := func(write func(io.Writer, int) error) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return generated(write, c.People), nil }
	}
	sample := func(name string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return ingest.Sample(name) }
	}
	for _, file := range []struct {
		name, source string
		open         func() (io.ReadCloser, error)
	}{
		{"crm.csv", "crm", made(crmRows)},
		{"website.ndjson", "website", made(websiteCalls)},
		{"customers.csv", "crm", sample("chinook-customers.csv")},
		{"invoices.ndjson", "shop", sample("chinook-invoices.ndjson")},
	} {
		if err := fillFrom(ctx, p, db, file.name, file.source, file.open); err != nil {
			return err
		}
	}
	return nil
}

func fillFrom(ctx context.Context, p program, db *store.DB, name, source string, open func() (io.ReadCloser, error)) error {
	file, err := open()
	if err != nil {
		return err
	}
	defer file.Close()
	counted := &countingReader{r: file}
	calls, err := (&importCommand{File: name, Source: source}).reader(counted)
	if err != nil {
		return err
	}
	im := importer{db: db, stderr: p.stderr, progress: newProgress(p.stderr, 0, &counted.n, "lines")}
	s, err := im.run(ctx, calls)
	im.progress.clear()
	if err == nil && s.refused > 0 {
		err = fmt.Errorf("%d lines of the demo's own data were refused", s.refused)
	}
	return err
}

// generated reads what write writes. Closing the reader ends the writing.
func generated(write func(io.Writer, int) error, people int) io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(write(w, people)) }()
	return r
}

// demoRequests say who among the made people has asked for their erasure, and
// by which door.
var demoRequests = []struct {
	person    int
	state     erasure.State
	origin    erasure.Origin
	reference string
	suppress  bool
}{
	{2, erasure.Completed, erasure.Console, "DSR-1001", false},
	{3, erasure.Completed, erasure.CustomerLabs, "", false},
	{suppressedPerson, erasure.Completed, erasure.API, "TICKET/4711", true},
	{7, erasure.Cancelled, erasure.Console, "DSR-1002", false},
	{8, erasure.Pending, erasure.CustomerLabs, "", false},
	{11, erasure.Cancelled, erasure.API, "", false},
	{12, erasure.Pending, erasure.Console, "DSR-1003", false},
	{13, erasure.Pending, erasure.API, "TICKET/4712", false},
}

func (c *demoCommand) fillCompleted(ctx context.Context, db *store.DB) error {
	if _, err := c.request(ctx, db, func(s erasure.State) bool { return s == erasure.Completed }); err != nil {
		return err
	}
	runner := jobs.NewRunner(db, slog.New(slog.DiscardHandler))
	for {
		if _, err := runner.Work(ctx); err != nil {
			return err
		}
		w, err := db.Work(ctx)
		if err != nil || w.Next < 0 {
			return err
		}
	}
}

func (c *demoCommand) fillOpen(ctx context.Context, db *store.DB) error {
	cancel, err := c.request(ctx, db, func(s erasure.State) bool { return s != erasure.Completed })
	if err != nil {
		return err
	}
	for _, r := range cancel {
		if _, err := db.Cancel(ctx, r.ID, r.Actor, r.Origin); err != nil && erasure.CodeOf(err) != erasure.CodeNotPending {
			return err
		}
	}
	return nil
}

// request makes the demo's requests of some states and returns those that are
// to be cancelled.
func (c *demoCommand) request(ctx context.Context, db *store.DB, of func(erasure.State) bool) (cancel []erasure.Request, err error) {
	staff, script, err := demoActors(ctx, db)
	if err != nil {
		return nil, err
	}
	for _, d := range demoRequests {
		if !of(d.state) || d.person >= c.People {
			continue
		}
		n := erasure.NewRequest{Origin: d.origin, Actor: script, Reference: d.reference, Suppress: d.suppress,
			Asked: erasure.Identifier{Table: erasure.User, Key: erasure.KeyUserID, Value: makePerson(d.person).userID}}
		if d.origin == erasure.Console {
			n.Actor, n.Reason = staff, "Asked for it by letter."
		}
		r, _, err := db.RequestErasure(ctx, n)
		if err != nil {
			return nil, err
		}
		if d.state == erasure.Cancelled {
			cancel = append(cancel, r)
		}
	}
	return cancel, nil
}

// fillKey names the key that the demo's own requests came by. Nobody has it.
const fillKey = "ticket-desk"

// demoActors makes the operator and the key that the demo's requests came from.
func demoActors(ctx context.Context, db *store.DB) (staff, script erasure.Actor, err error) {
	o, err := db.OperatorByEmail(ctx, demoOperator)
	if erasure.CodeOf(err) == erasure.CodeNotFound {
		o, err = db.CreateOperator(ctx, erasure.Terminal, store.NewOperator{Email: demoOperator, Role: erasure.Admin})
	}
	if err != nil {
		return staff, script, err
	}
	k, err := ticketDesk(ctx, db)
	return erasure.Actor{Kind: erasure.ByOperator, ID: o.ID}, erasure.Actor{Kind: erasure.ByKey, ID: k.ID}, err
}

func ticketDesk(ctx context.Context, db *store.DB) (erasure.APIKey, error) {
	live, _, err := db.Keys(ctx)
	if err != nil {
		return erasure.APIKey{}, err
	}
	if i := slices.IndexFunc(live, func(k erasure.APIKey) bool { return k.Name == fillKey }); i >= 0 {
		return live[i], nil
	}
	_, made, err := db.CreateKey(ctx, erasure.Terminal, store.NewKey{Name: fillKey, Scopes: []erasure.Scope{
		erasure.ScopeCustomerLabs, erasure.ScopeDeletionsWrite}})
	return made, err
}

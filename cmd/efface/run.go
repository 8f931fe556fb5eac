package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/efface/efface/store/erasure"
)

// The exit codes beside 0.
const (
	exitFailed = 1
	exitUsage  = 2
)

// program is what a command may use of the world around it.
type program struct {
	name           string // as it was called
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) (string, bool)
	environ        []string     // all of env, as NAME=VALUE
	assets         func() error // says what is missing of the pages' style sheets and scripts
}

// cli is the command line. Every flag has a variable, --ops-listen being
// EFFACE_OPS_LISTEN.
type cli struct {
	Serve    serveCommand    `cmd:"" help:"Serve the console and the APIs, and carry out what is due."`
	Import   importCommand   `cmd:"" help:"Import people from a CSV file or from Segment-spec calls, one a line."`
	Operator operatorCommand `cmd:"" help:"Manage the accounts of the privacy staff."`
	Key      keyCommand      `cmd:"" help:"Manage API keys, and change the master key."`
	Backup   backupCommand   `cmd:"" help:"Copy the store while it is served, the keyring apart."`
	Restore  restoreCommand  `cmd:"" help:"Put a backup in place, and do again what was asked for and erased since."`
	Witness  witnessCommand  `cmd:"" help:"Check the witness, or start a new one."`
	Log      logCommand      `cmd:"" help:"Take the deletion log away, with what proves it."`
	Verify   verifyCommand   `cmd:"" help:"Check receipts and logs with the public key alone, without a store."`
	Scan     scanCommand     `cmd:"" help:"Search every byte of the store for the identifiers on standard input, one a line."`
	Demo     demoCommand     `cmd:"" help:"Fill a demo store with made people and serve it."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// storeFlags say which store a command works on.
type storeFlags struct {
	Data      string `help:"Directory of the store." default:"./data" placeholder:"DIR"`
	MasterKey string `help:"Master key file; master.key in the directory unless given." placeholder:"FILE"`
	Keyring   string `help:"Keyring file; keyring.db in the directory unless given." placeholder:"FILE"`
	LogKey    string `help:"File of the key that signs the deletion log; log.key in the directory unless given." placeholder:"FILE"`
	Witness   string `help:"Directory of what must not be lost with the store, best on another disk; witness in the directory unless given." placeholder:"DIR"`

	keyLimit keyLimit // of the commands that have the flag
	alone    bool     // set by the command that changes the master key
}

// misuse is what is wrong with the command line itself, told before anything
// is made or changed. It ends a command as a flag that there is none of does.
type misuse struct{ error }

// Unwrap gives the sentence.
func (m misuse) Unwrap() error { return m.error }

// errSaid ends a command that has said on stderr already what is wrong.
var errSaid = errors.New("said already")

// run runs one command and returns the exit code.
func run(ctx context.Context, args []string, p program) int {
	var c cli
	helped := false
	parser, err := kong.New(&c, kong.Name("efface"), kong.Description("A self-hosted right-to-erasure console."),
		kong.Writers(p.stdout, p.stderr), kong.Exit(func(int) { helped = true }),
		kong.Resolvers(variables(p.env)), kong.ValueFormatter(withVariable), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		defaults, kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(p, &c))
	if err != nil {
		return p.fail(err)
	}
	warnOfVariables(p.stderr, parser.Model.Node, p.environ)
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	command, err := parser.Parse(args)
	if helped {
		return 0
	}
	if err != nil {
		return p.misused(parser, err)
	}
	return p.fail(command.Run())
}

// fail prints one sentence for what stopped a command. What has no sentence
// is a fault of the program or the machine, and shown as it is.
func (p program) fail(err error) int {
	code := exitFailed
	if errors.As(err, new(misuse)) {
		code = exitUsage
	}
	var known *erasure.Error
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSaid):
	case errors.As(err, &known):
		fmt.Fprintln(p.stderr, "efface: "+known.Sentence)
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(p.stderr, "efface: Stopped before it was done; start it again to go on.")
	default:
		fmt.Fprintf(p.stderr, "efface: stopped by an unexpected error: %v\n", err)
	}
	return code
}

// Command efface is a self-hosted right-to-erasure console: its server, and
// the commands that work beside it on the same directory.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/static"
)

// version is set by the linker.
var version = "unknown"

func main() { os.Exit(command(static.Missing, os.Environ())) }

// command runs what the command line asks for until it ends or a signal stops
// it, and returns the exit code. environ is looked through for mistyped names.
func command(assets func() error, environ []string) int {
	harden()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	return run(ctx, os.Args[1:], program{
		name: os.Args[0], stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.LookupEnv, environ: environ, assets: assets,
	})
}

// harden keeps memory out of core dumps, also where a program takes them by a
// pipe, which no limit on their size stops. Files are the owner's alone.
func harden() {
	unix.Umask(0o077)
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) // lowering a limit is always allowed
	// Where /proc is not there, the limit has to do.
	_ = os.WriteFile("/proc/self/coredump_filter", []byte("0"), 0)
}

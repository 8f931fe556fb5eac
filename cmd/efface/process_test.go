package main

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// process is the program as a process of its own, with all that it printed.
type process struct {
	*exec.Cmd
	stdout, stderr *transcript
	ended          chan struct{} // closed once it has
}

// transcript is what a process prints, read while it does.
type transcript struct {
	mu   sync.Mutex
	b    bytes.Buffer
	line chan struct{} // closed once there is a whole one
}

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	had := bytes.IndexByte(tr.b.Bytes(), '\n') >= 0
	tr.b.Write(p)
	if !had && bytes.IndexByte(p, '\n') >= 0 {
		close(tr.line)
	}
	return len(p), nil
}

// String returns what was printed so far.
func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.b.String()
}

// launch starts the program; env are variables besides the test's own.
func launch(t *testing.T, stdin io.Reader, env []string, args ...string) *process {
	t.Helper()
	p := &process{
		Cmd: child(t, args...), ended: make(chan struct{}),
		stdout: &transcript{line: make(chan struct{})}, stderr: &transcript{line: make(chan struct{})},
	}
	p.Env = append(p.Env, env...)
	p.Stdin, p.Stdout, p.Stderr = stdin, p.stdout, p.stderr
	p.WaitDelay = 10 * time.Second // for a pipe that a test never closes
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.Wait() // the exit code says all of it
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process as kill -9 does, and returns once it is gone.
func (p *process) kill() {
	_ = p.Process.Kill() // it may have ended
	<-p.ended
}

// code waits for the process to end and returns its exit code.
func (p *process) code() int {
	<-p.ended
	return p.ProcessState.ExitCode()
}

// address waits until a server listens, and returns scheme and host. ok is
// false where it ended before.
func (p *process) address() (base string, ok bool) {
	select {
	case <-p.stdout.line:
	case <-p.ended:
	}
	first, _, _ := strings.Cut(p.stdout.String(), "\n")
	return strings.CutPrefix(first, "Efface listens on ")
}

// mustListen waits until a server listens.
func (p *process) mustListen(t *testing.T) string {
	t.Helper()
	base, ok := p.address()
	if !ok {
		<-p.ended
		t.Fatalf("the server ended: %s%s", p.stdout, p.stderr)
	}
	return base
}

// inPrint searches what the process printed.
func (p *planted) inPrint(of *process) sightings {
	found := sightings{}
	found.add(p.in([]byte(of.stdout.String())), "stdout")
	found.add(p.in([]byte(of.stderr.String())), "stderr")
	return found
}

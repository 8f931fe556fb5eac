package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/store"
)

// The test binary itself is the program that tests start: with childMark set
// it does what main does.
const (
	childMark = "EFFACE_TEST_CHILD"
	childSize = "EFFACE_TEST_FILE_SIZE" // the largest file that the child may write, in bytes
)

func TestMain(m *testing.M) {
	if files := os.Getenv(childReads); files != "" {
		os.Exit(readUntilTold(files))
	}
	if os.Getenv(childMark) == "" {
		os.Exit(m.Run())
	}
	if size, err := strconv.ParseUint(os.Getenv(childSize), 10, 64); err == nil {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: size}); err != nil {
			panic(err)
		}
	}
	os.Exit(command(builtIn, nil)) // whose variables of tests are no mistakes
}

// builtIn stands for pages' style sheets that are there, so that these tests
// need nothing from npm.
func builtIn() error { return nil }

// ended is what a command left.
type ended struct {
	code           int
	stdout, stderr string
}

// efface runs one command in this process.
func efface(t *testing.T, stdin string, args ...string) ended {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, program{
		stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr,
		env: func(string) (string, bool) { return "", false }, assets: builtIn,
	})
	return ended{code, stdout.String(), stderr.String()}
}

// must runs a command that has to succeed.
func must(t *testing.T, args ...string) ended {
	t.Helper()
	e := efface(t, "", args...)
	if e.code != 0 {
		t.Fatalf("efface %s ended with %d: %s", strings.Join(args, " "), e.code, e.stderr)
	}
	return e
}

// refused says whether a command ended with 1 and exactly one line on stderr.
func (e ended) refused(t *testing.T, contains string) {
	t.Helper()
	e.endedWith(t, exitFailed, contains)
}

// misused is refused for what the command line alone shows to be wrong.
func (e ended) misused(t *testing.T, contains string) {
	t.Helper()
	e.endedWith(t, exitUsage, contains)
}

func (e ended) endedWith(t *testing.T, code int, contains string) {
	t.Helper()
	if e.code != code || strings.Count(e.stderr, "\n") != 1 || !strings.Contains(e.stderr, contains) {
		t.Errorf("the command ended with %d and said %q, not one sentence with %q", e.code, e.stderr, contains)
	}
}

// newStore makes a store with nobody in it and no account.
func newStore(t *testing.T) (data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	db, err := store.Open(t.Context(), store.Options{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

// child prepares the program as a process of its own.
func child(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), childMark+"=1")
	return c
}

// output runs a child to its end.
func output(t *testing.T, c *exec.Cmd) ended {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); c.ProcessState == nil {
		t.Fatal(err)
	}
	return ended{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// served is a server that runs as a process of its own.
type served struct {
	*exec.Cmd
	base string   // http://host:port
	out  []string // the lines it printed at the start
	log  *bytes.Buffer
}

// serve starts a server or a demo and waits until it has printed n lines.
func serve(t *testing.T, n int, args ...string) *served {
	t.Helper()
	s := &served{Cmd: child(t, args...), log: &bytes.Buffer{}}
	s.Stderr = s.log
	stdout, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.ProcessState == nil {
			_ = s.Process.Kill()
			_ = s.Wait()
		}
	})
	lines := bufio.NewReader(stdout)
	for range n {
		line, err := lines.ReadString('\n')
		if err != nil {
			_ = s.Wait()
			t.Fatalf("the server ended: %s", s.log)
		}
		s.out = append(s.out, strings.TrimSuffix(line, "\n"))
	}
	var found bool
	if _, s.base, found = strings.Cut(s.out[0], "Efface listens on "); !found {
		t.Fatalf("the first line is %q", s.out[0])
	}
	return s
}

// stop sends SIGTERM and returns the exit code.
func (s *served) stop(t *testing.T) int {
	t.Helper()
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = s.Wait() // the code says all of it
	return s.ProcessState.ExitCode()
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// people writes a CSV file of n people.
func people(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintln(&b, "user_id,email,city")
	for i := range n {
		fmt.Fprintf(&b, "u%d,u%d@example.com,%s\n", i, i, strings.Repeat("Wien ", 20))
	}
	return write(t, "people.csv", b.String())
}

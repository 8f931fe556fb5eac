package evidence_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// verifyPy runs docs/verify.py with nothing but a directory in PATH, and
// returns what it says and its exit code.
func verifyPy(t *testing.T, path string, args ...string) (said string, code int) {
	t.Helper()
	python, err := exec.CommandContext(t.Context(), "python3", "-c", "import sys; print(sys.executable)").Output()
	must(t, err)
	c := exec.CommandContext(t.Context(), strings.TrimSpace(string(python)), append([]string{"-I", "-"}, args...)...)
	script, err := os.Open("../../docs/verify.py")
	must(t, err)
	defer script.Close()
	c.Stdin = script
	c.Env = []string{"PATH=" + path}
	out, err := c.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), exit.ExitCode()
	}
	must(t, err)
	return string(out), 0
}

// No file is called false because openssl is missing, or older than 3.0 and
// without -rawin.
func TestVerifyPyBlamesOpensslAndNoFile(t *testing.T) {
	s := newScene(t, 1)
	receipt, missing, old := filepath.Join(t.TempDir(), "receipt.json"), t.TempDir(), t.TempDir()
	must(t, os.WriteFile(receipt, s.receipts[0], 0o600))
	fake := "#!/bin/sh\necho 'pkeyutl: Unrecognized flag rawin' >&2\nexit 1\n"
	must(t, os.WriteFile(filepath.Join(old, "openssl"), []byte(fake), 0o700))
	for name, path := range map[string]string{"missing": missing, "old": old} {
		said, code := verifyPy(t, path, "receipt", receipt, "--key", s.key)
		if code != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "openssl 3.0 or newer is needed") || strings.Contains(said, receipt) {
			t.Errorf("with openssl %s it ends with %d and says %q", name, code, said)
		}
	}
}

func TestVerifyPyTellsAFileThatCannotBeReadFromAFalseOne(t *testing.T) {
	s := newScene(t, 1)
	dir := t.TempDir()
	for _, kind := range []string{"receipt", "entry", "log"} {
		said, code := verifyPy(t, os.Getenv("PATH"), kind, filepath.Join(dir, "none"), dir, "--key", s.key)
		if code != 1 || strings.Count(said, ": can't be read: ") != 2 || strings.Contains(said, "does not hold") {
			t.Errorf("of files that can't be read it ends with %d and says %q", code, said)
		}
	}
}

func TestVerifyPyHelps(t *testing.T) {
	if said, code := verifyPy(t, "", "--help"); code != 0 || !strings.Contains(said, "receipt|entry|log FILE") {
		t.Errorf("--help ends with %d and says %q", code, said)
	}
}

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A person's script is what the program prints and a shell runs.
func shell(t *testing.T, line string) string {
	t.Helper()
	e := output(t, exec.CommandContext(t.Context(), "sh", "-c", line))
	if e.code != 0 {
		t.Fatalf("%s ends with %d: %s", line, e.code, e.stderr)
	}
	return e.stdout
}

func TestAScriptRequestsAndCancelsWithTwoCurlCalls(t *testing.T) {
	t.Parallel()
	s := serve(t, 3, "demo", "--data", filepath.Join(t.TempDir(), "demo"), "--listen", "127.0.0.1:0", "--people", "0")
	_, line, found := strings.Cut(s.out[2], "curl ")
	if !found {
		t.Fatalf("no line to copy in %q", s.out)
	}
	if got := shell(t, "curl "+line); !strings.Contains(got, "User Deletion has been added to queue") {
		t.Errorf("the line that the demo prints answers %q", got)
	}
	cancel := strings.Replace(line, "/user-deletion/ ", "/user-deletion/cancel-request/ ", 1)
	if got := shell(t, "curl "+cancel); !strings.Contains(got, "User deletion request has been cancelled") {
		t.Errorf("its cancel answers %q", got)
	}
	key := strings.Split(strings.Split(line, "X-API-Key: ")[1], "'")[0]
	got := shell(t, fmt.Sprintf("curl -sS '%s/api/v1/deletions?state=cancelled' -H 'Authorization: Bearer %s'", s.base, key))
	if !strings.Contains(got, `"customerlabs"`) || !strings.Contains(got, `"requested_by":"key:demo"`) {
		t.Errorf("the log says %q", got)
	}
}

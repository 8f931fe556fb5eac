package main

import (
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// docs/operating.md lists every setting of the server.
func TestEverySettingIsDocumented(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	k, err := kong.New(new(cli), defaults)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings(serveNode(k)) {
		if row := "| `" + s.Flag + "` | `" + s.Variable + "` |"; !strings.Contains(string(b), row) {
			t.Errorf("docs/operating.md has no row that begins with %s", row)
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A backup is made beside the server, and a server makes a store of it again.
func TestABackupIsPutInPlace(t *testing.T) {
	t.Parallel()
	data, backup := filled(t), filepath.Join(t.TempDir(), "backup")
	s := serve(t, 1, "serve", "--data", data, "--listen", "127.0.0.1:0")
	made := must(t, "backup", "--data", data, "--to", backup, "--keyring-to", filepath.Join(backup+"-keys.db"))
	if !strings.Contains(made.stderr, "Copied the database to "+backup) || made.stdout != "" {
		t.Errorf("the backup says %q and %q", made.stdout, made.stderr)
	}
	efface(t, "", "backup", "--data", data, "--to", backup).refused(t, "name a new directory with --to")
	s.stop(t)
	for from, name := range map[string]string{backup + "-keys.db": "keyring.db", filepath.Join(data, "master.key"): "master.key", filepath.Join(data, "log.key"): "log.key"} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(backup, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	efface(t, "", "key", "list", "--data", backup).refused(t, "start efface serve once")
	serve(t, 1, "serve", "--data", backup, "--listen", "127.0.0.1:0").stop(t)
	again := must(t, "import", "--data", backup, people(t, 10))
	if !strings.Contains(again.stdout+again.stderr, "0 added, 10 seen before") {
		t.Errorf("the same people are others in the store put in place: %q %q", again.stdout, again.stderr)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A backup is made beside the server, and a store of it again by a command.
func TestABackupIsRestored(t *testing.T) {
	t.Parallel()
	data, to := filled(t), filepath.Join(t.TempDir(), "backup")
	s := serve(t, 1, "serve", "--data", data, "--listen", "127.0.0.1:0")
	made := must(t, "backup", "--data", data, "--to", to, "--keyring-to", to+"-keys.db")
	if !strings.Contains(made.stderr, "Copied the database to "+to) || made.stdout != "" {
		t.Errorf("the backup says %q and %q", made.stdout, made.stderr)
	}
	efface(t, "", "backup", "--data", data, "--to", to).refused(t, "name a new directory with --to")
	restore := []string{"restore", "--data", data, "--from", to, "--keyring-from", to + "-keys.db"}
	efface(t, "", restore...).refused(t, "already running")
	s.stop(t)
	efface(t, "", restore...).refused(t, "There is a store in")
	moveAside(t, data, "efface.db", "keyring.db")
	said := must(t, restore...)
	if !strings.Contains(said.stderr, "Put the backup of 2") || said.stdout != "" {
		t.Errorf("the restore says %q and %q", said.stdout, said.stderr)
	}
	again := must(t, "import", "--data", data, people(t, 10))
	if !strings.Contains(again.stdout+again.stderr, "0 added, 10 seen before") {
		t.Errorf("the same people are others in the restored store: %q %q", again.stdout, again.stderr)
	}
	must(t, "witness", "check", "--data", data)
	serve(t, 1, "serve", "--data", data, "--listen", "127.0.0.1:0").stop(t)
}

func TestABackupPutInPlaceByHandIsRefused(t *testing.T) {
	t.Parallel()
	data, to := filled(t), filepath.Join(t.TempDir(), "backup")
	must(t, "backup", "--data", data, "--to", to)
	moveAside(t, data, "efface.db")
	if err := os.Rename(filepath.Join(to, "efface.db"), filepath.Join(data, "efface.db")); err != nil {
		t.Fatal(err)
	}
	efface(t, "", "serve", "--data", data, "--listen", "127.0.0.1:0").refused(t, "efface restore")
	efface(t, "", "key", "list", "--data", data).refused(t, "efface restore")
}

// moveAside takes databases out of their directory, as the docs say to.
func moveAside(t *testing.T, dir string, names ...string) {
	t.Helper()
	aside := t.TempDir()
	for _, name := range names {
		parts, err := filepath.Glob(filepath.Join(dir, name+"*"))
		if err != nil || len(parts) == 0 {
			t.Fatalf("there is no %s to move aside: %v", name, err)
		}
		for _, part := range parts {
			if err := os.Rename(part, filepath.Join(aside, filepath.Base(part))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

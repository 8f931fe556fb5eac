package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// A restore of an older backup that is killed leaves the keys of who is in a newer
// one, which is restored then.
func TestAKilledRestoreLosesNobody(t *testing.T) {
	t.Parallel()
	from := filled(t)
	older, newer := filepath.Join(t.TempDir(), "older"), filepath.Join(t.TempDir(), "newer")
	must(t, "backup", "--data", from, "--to", older)
	must(t, "import", "--data", from, people(t, 3000))
	must(t, "backup", "--data", from, "--to", newer)
	moveAside(t, from, "efface.db")
	ended, killed := 0, 0
	for after := time.Duration(0); ended < 3; after += 8 * time.Millisecond {
		data := filepath.Join(t.TempDir(), "data")
		copyStore(t, from, data)
		p := launch(t, nil, nil, "restore", "--data", data, "--from", older)
		select {
		case <-p.ended:
		case <-time.After(after):
			p.kill()
		}
		if _, err := os.Stat(filepath.Join(data, "efface.db")); err == nil {
			ended++
			must(t, "restore", "--data", data) // whatever the kill left is done
			continue
		}
		killed++
		must(t, "restore", "--data", data, "--from", newer)
		again := must(t, "import", "--data", data, people(t, 3000))
		if !strings.Contains(again.stdout+again.stderr, "0 added, 3,000 seen before") {
			t.Errorf("killed after %s, people are lost: %q %q", after, again.stdout, again.stderr)
		}
	}
	if killed < 3 {
		t.Errorf("only %d restores were killed on their way", killed)
	}
}

// copyStore copies a data directory, for its owner alone.
func copyStore(t *testing.T, from, to string) {
	t.Helper()
	err := os.CopyFS(to, os.DirFS(from))
	if err == nil {
		err = filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
			mode := fs.FileMode(0o600)
			if err == nil && e.IsDir() {
				mode = 0o700
			}
			return errors.Join(err, os.Chmod(path, mode))
		})
	}
	if err != nil {
		t.Fatal(err)
	}
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

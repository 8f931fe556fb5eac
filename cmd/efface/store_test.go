package main

import (
	"database/sql"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/efface/efface/store/seal"
)

// filled makes a store with ten people.
func filled(t *testing.T) (data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	must(t, "import", "--data", data, people(t, 10))
	return data
}

func TestAnOlderProgramRefusesANewerStore(t *testing.T) {
	t.Parallel()
	data := filled(t)
	db, err := sql.Open(seal.Driver, seal.DSN(filepath.Join(data, "efface.db"), seal.DSNOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO schema_version (n) VALUES (9999)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	efface(t, "", "key", "list", "--data", data).refused(t, "written by a newer Efface")
	efface(t, "", "serve", "--data", data, "--listen", "127.0.0.1:0").refused(t, "written by a newer Efface")
}

func TestAMasterKeyThatOthersCanReadIsRefused(t *testing.T) {
	t.Parallel()
	data := filled(t)
	if err := os.Chmod(filepath.Join(data, "master.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	efface(t, "", "key", "list", "--data", data).refused(t, "chmod 600")
}

func TestAMasterKeyOfAnotherStoreIsRefused(t *testing.T) {
	t.Parallel()
	data, other := filled(t), filled(t)
	efface(t, "", "key", "list", "--data", data, "--master-key", filepath.Join(other, "master.key")).refused(t, "fit this store")
	if err := os.Remove(filepath.Join(data, "master.key")); err != nil {
		t.Fatal(err)
	}
	efface(t, "", "key", "list", "--data", data).refused(t, "There is no master key at")
}

func TestADirectoryThatCannotBeWrittenIsSaid(t *testing.T) {
	t.Parallel()
	data := filled(t)
	public := publicDir(t)
	if out, err := exec.Command("cp", "-a", data, filepath.Join(public, "data")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	give(t, filepath.Join(public, "data"))
	empty := filepath.Join(public, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	give(t, empty)
	file := filepath.Join(public, "people.csv")
	if err := os.WriteFile(file, []byte("user_id\nu1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(public, "data"), empty} {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		output(t, unprivileged(t, public, "import", "--data", dir, file)).refused(t, "writ")
		output(t, unprivileged(t, public, "serve", "--data", dir, "--listen", "127.0.0.1:0")).refused(t, "writ")
		if err := os.Chmod(dir, 0o700); err != nil { // for the clean-up of a test that root does not run
			t.Fatal(err)
		}
	}
}

const nobody = 65534

// publicDir makes a directory that everybody can reach, with the program in it.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "efface")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, "efface"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// give makes a tree the unprivileged user's own.
func give(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		if err == nil {
			err = os.Chown(path, nobody, nobody)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// unprivileged prepares the program as a user without rights: root can write
// anywhere, and would test nothing.
func unprivileged(t *testing.T, public string, args ...string) *exec.Cmd {
	t.Helper()
	c := child(t, args...)
	c.Path, c.Dir = filepath.Join(public, "efface"), public
	if os.Geteuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return c
}

func TestAFullDiskLosesNothingThatWasCommitted(t *testing.T) {
	t.Parallel()
	const n = 4000
	data, file := filepath.Join(t.TempDir(), "data"), people(t, n)
	c := child(t, "import", "--data", data, "--phone-region", "AT", file)
	c.Env = append(c.Env, childSize+"=1500000")
	e := output(t, c)
	summary, sentence, _ := strings.Cut(e.summary(), "\n")
	if e.code != exitFailed || !strings.Contains(sentence, "make room") || strings.Count(sentence, "\n") != 1 {
		t.Fatalf("on a full disk import ended with %d and said %q", e.code, e.stderr)
	}
	var added int
	if _, err := sscan(summary, &added); err != nil || added == 0 || added >= n {
		t.Fatalf("the disk was full after %d of %d lines: %q", added, n, summary)
	}
	e = must(t, "import", "--data", data, file)
	var rest, seen int
	if _, err := sscan(e.summary(), &rest, &seen); err != nil || seen < added || rest+seen != n {
		t.Errorf("with room again import says %q after %d had been added", e.stderr, added)
	}
}

func TestCommandsThatMakeNothingRefuseADirectoryWithoutAStore(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "typo")
	for _, args := range [][]string{{"operator", "list"}, {"key", "list"}, {"key", "revoke", "crm"},
		{"key", "create", "--name", "crm", "--scope", "customerlabs"}} {
		efface(t, "", append(args, "--data", data)...).refused(t, "There is no store in")
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("the directory was made")
	}
}

func TestAMistypedCommandMakesNoStore(t *testing.T) {
	t.Parallel()
	data, file := filepath.Join(t.TempDir(), "data"), people(t, 1)
	for want, args := range map[string][]string{
		"Choose scopes":       {"key", "create", "--name", "crm", "--scope", "foo"},
		"--expires":           {"key", "create", "--name", "crm", "--scope", "customerlabs", "--expires", "soon"},
		"an e-mail address":   {"operator", "create", "--email", "nope", "--role", "admin"},
		"--role":              {"operator", "create", "--email", "ann@example.com", "--role", "king"},
		"There is no file":    {"import", file + "x"},
		"is a directory":      {"import", filepath.Dir(file)},
		"the source's name":   {"import", "--source", "a b@c", file},
		"csv or ndjson":       {"import", "--format", "xml", file},
		"the table":           {"import", "--table", "people", file},
		"the key's name":      {"import", "--key", "city=The City", file},
		"two ISO letters":     {"import", "--phone-region", "XX", file},
		"from 0 to":           {"demo", "--people=-1"},
		"There is no flag":    {"import", "--sauce", "crm", file},
		"There is no command": {"key", "mint"},
	} {
		e := efface(t, "", append(args, "--data", data)...)
		if e.code != exitUsage || e.stdout != "" || !strings.Contains(e.stderr, want) {
			t.Errorf("efface %s ends with %d and says %q", strings.Join(args, " "), e.code, e.stderr)
		}
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("the directory was made")
	}
}

func TestTheFirstUseOfADirectoryIsSaid(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"import", people(t, 1)}, {"operator", "create", "--email", "ann@example.com", "--role", "admin"}} {
		data := filepath.Join(t.TempDir(), "data")
		for _, said := range []bool{true, false} {
			e := efface(t, "", append(args, "--data", data)...)
			if strings.Contains(e.stderr, "Made a new store in "+data+".") != said {
				t.Errorf("efface %s says %q", strings.Join(args, " "), e.stderr)
			}
		}
	}
}

package main

import (
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/efface/efface/store/seal"
)

// childReads names, for a test binary that a test started, the databases of
// which it holds a read transaction open until its stdin ends. That is another
// process, because one that closes any descriptor of a database, as the search
// does, gives up the locks of its own reader.
const childReads = "EFFACE_TEST_READS"

func readUntilTold(files string) int {
	for _, file := range strings.Split(files, ":") {
		if err := holdOpen(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return exitFailed
		}
	}
	fmt.Println("reading")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func holdOpen(file string) error {
	db, err := sql.Open(seal.Driver, seal.DSN(file, seal.DSNOptions{QueryOnly: true}))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN DEFERRED"); err != nil {
		return err
	}
	var tables int
	return db.QueryRow("SELECT COUNT(*) FROM sqlite_schema").Scan(&tables)
}

// openReaders opens a reader of databases in another process; release ends
// it.
func openReaders(t *testing.T, files ...string) (release func()) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childReads+"="+strings.Join(files, ":"))
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	var word string
	if _, err := fmt.Fscan(stdout, &word); err != nil || word != "reading" {
		t.Fatalf("the reader says %q, %v", word, err)
	}
	return func() {
		t.Helper()
		if err := stdin.Close(); err != nil {
			t.Error(err)
		}
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
}

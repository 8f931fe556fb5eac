package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// It runs alone: a process that another test is starting holds this one's locks
// for a moment.
func TestALostWitnessIsStartedAnewOnceThatIsTyped(t *testing.T) {
	data := filled(t)
	path := filepath.Join(data, "witness", "log.jsonl")
	must(t, "key", "create", "--data", data, "--name", "k", "--scope", "ingest")
	must(t, "witness", "check", "--data", data)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	efface(t, "", "serve", "--data", data).refused(t, "make a new one with efface witness rebuild")
	if e := efface(t, "yes\n", "witness", "rebuild", "--data", data); e.code != exitFailed || !strings.Contains(e.stderr, "Nothing was changed") {
		t.Errorf("without the word it ended with %d: %s", e.code, e.stderr)
	}
	rebuilt := efface(t, "rebuild\n", "witness", "rebuild", "--data", data)
	if rebuilt.code != 0 || !strings.Contains(rebuilt.stderr, "Started a new witness in "+filepath.Join(data, "witness")) {
		t.Fatalf("the command ended with %d: %s", rebuilt.code, rebuilt.stderr)
	}
	old, err := filepath.Glob(filepath.Join(data, "witness", "old-*", "log.jsonl"))
	if err != nil || len(old) != 1 || !strings.Contains(rebuilt.stderr, filepath.Dir(old[0])) {
		t.Errorf("the old one's files are %v, %v: %s", old, err, rebuilt.stderr)
	}
	must(t, "witness", "check", "--data", data)
	storetest.CheckWitness(t, data)
	entries := storetest.CheckLog(t, data)
	if last := entries[len(entries)-1]; last.Kind != erasure.WitnessRebuilt {
		t.Errorf("the last entry is %s", last.Kind)
	}
	if err := os.RemoveAll(filepath.Join(data, "witness")); err != nil {
		t.Fatal(err)
	}
	efface(t, "", "key", "list", "--data", data).refused(t, "is missing")
	if e := efface(t, "rebuild\n", "witness", "rebuild", "--data", data); e.code != 0 {
		t.Fatal(e.stderr)
	}
	storetest.CheckWitness(t, data)
}

func TestAWitnessMayBeOnAnotherDisk(t *testing.T) {
	t.Parallel()
	data, witness := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "disk", "witness")
	must(t, "import", "--data", data, "--witness", witness, people(t, 10))
	if _, err := os.Stat(filepath.Join(data, "witness")); err == nil {
		t.Error("there is a witness in the data directory too")
	}
	must(t, "witness", "check", "--data", data, "--witness", witness)
	efface(t, "", "key", "list", "--data", data).refused(t, "name its place with --witness")
}

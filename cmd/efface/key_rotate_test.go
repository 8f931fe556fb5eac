package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store/storetest"
)

// Wherever a change of the master key is killed, the next one ends it: whoever was
// there is known, and only one master key is left.
func TestAKilledChangeOfTheMasterKeyIsEndedByTheNext(t *testing.T) {
	t.Parallel()
	from := filled(t)
	must(t, "import", "--data", from, people(t, 3000))
	const kills = 12
	var whole time.Duration // of a change that is not killed
	killed, midway := 0, 0
	for n := range kills + 1 {
		after := whole * time.Duration(n) / kills
		data := filepath.Join(t.TempDir(), "data")
		copyStore(t, from, data)
		begun := time.Now()
		p := launch(t, nil, nil, "key", "rotate-master", "--data", data)
		if n == 0 {
			<-p.ended
			whole = time.Since(begun)
		}
		select {
		case <-p.ended:
		case <-time.After(after):
			p.kill()
			killed++
		}
		if keys, _ := filepath.Glob(filepath.Join(data, "master.key*")); len(keys) > 1 {
			midway++
		}
		must(t, "key", "rotate-master", "--data", data)
		if keys, err := filepath.Glob(filepath.Join(data, "master.key*")); err != nil || len(keys) != 1 {
			t.Errorf("killed after %s: the master keys are %v, %v", after, keys, err)
		}
		if before, now := read(t, from, "master.key"), read(t, data, "master.key"); before == now {
			t.Errorf("killed after %s: the master key is the one from before", after)
		}
		must(t, "witness", "check", "--data", data)
		again := must(t, "import", "--data", data, people(t, 3000))
		if !strings.Contains(again.stdout+again.stderr, "0 added, 3,000 seen before") {
			t.Errorf("killed after %s: %q %q", after, again.stdout, again.stderr)
		}
		storetest.CheckLog(t, data)
	}
	t.Logf("%d changes were killed on their way, %d with two keys", killed, midway)
	if killed < 3 {
		t.Errorf("only %d changes were killed on their way", killed)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

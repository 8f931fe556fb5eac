package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/storetest"
)

// What the server learns of its own files comes from a process of its own, the
// program that it is itself.
func TestTheServerSearchesItsFilesByAProcess(t *testing.T) {
	t.Setenv(childMark, "1")
	data := newStore(t)
	o := store.Options{Dir: data, Keyring: filepath.Join(data, "keyring.db"), Witness: filepath.Join(data, "witness")}
	values := []string{"test-person-ABCDEFGH", "ABCDEFGH@example.invalid"}
	if files, err := searchIn(o)(t.Context(), values); err != nil || len(files) != 0 {
		t.Errorf("in a store without them are found %v, %v", files, err)
	}
	shown := filepath.Join(data, "shown")
	if err := os.WriteFile(shown, []byte(strings.Join(values, " ")), 0o600); err != nil {
		t.Fatal(err)
	}
	if files, err := searchIn(o)(t.Context(), values); err != nil || !slices.Equal(files, []string{shown}) {
		t.Errorf("where one file shows them are found %v, %v", files, err)
	}
	if files, err := searchIn(store.Options{Dir: filepath.Join(data, "none"), Keyring: o.Keyring})(t.Context(), values); err == nil || strings.Contains(err.Error(), values[0]) {
		t.Errorf("where there is no store are found %v, %v", files, err)
	}
}

func TestAServerErasesATestPersonAndFindsThemNowhere(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	raw := storetest.Raw(t, s.data)
	if _, err := raw.Exec(`INSERT INTO test_persons (n, done) VALUES (1, $1)`, -store.TestPersonEvery.Milliseconds()); err != nil {
		t.Fatal(err)
	}
	s.serve("24h")
	storetest.Eventually(t, "a test person has passed", func() bool { return s.count(`SELECT COUNT(*) FROM test_persons WHERE passed > 0`) == 1 })
	if n := s.count(`SELECT COUNT(*) FROM requests WHERE origin = 'test' AND state = 'completed' AND actor_kind = 'system'`); n != 1 {
		t.Errorf("%d test persons are erased", n)
	}
	s.stop()
	if log := s.server.stderr.String(); !strings.Contains(log, "a test person was erased, and found nowhere") {
		t.Errorf("the log says %s", log)
	}
	storetest.CheckLog(t, s.data)
}

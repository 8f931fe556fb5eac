package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/storetest"
)

// checkRequests looks at every request that was acknowledged, after a restore.
func (s *schedule) checkRequests() {
	s.Helper()
	for id, was := range s.requests {
		r, err := s.db.Request(s.Context(), id)
		must(s.T, err)
		if r.State != was && (was != erasure.Completed || r.KeysDestroyedAt.IsZero()) {
			s.Errorf("request %s was %s and is %s", id, was, r.State)
		}
		if r.State == erasure.Pending && r.Remaining != store.DefaultCancelWindow {
			s.Errorf("request %s may be cancelled for another %s", id, r.Remaining)
		}
	}
}

// noErasedKeyLives looks for the keys that the log lists in the keyring, and in
// every file for what the copies of it still have of them.
func (s *schedule) noErasedKeyLives() {
	s.Helper()
	listed, live := listedKeys(s.T, s.dir), liveKeys(s.T, filepath.Join(s.dir, "keyring.db"))
	var destroyed [][]byte
	for key := range listed {
		if live[key] != nil {
			s.Errorf("the key %x was destroyed and is alive again", key)
		}
	}
	for _, b := range s.backups {
		for id, key := range liveKeys(s.T, b.keyring) {
			if listed[id] {
				destroyed = append(destroyed, key)
			}
		}
	}
	for _, dir := range []string{s.dir, s.witness} {
		for path, held := range filesOf(s.T, dir) {
			if slices.ContainsFunc(destroyed, func(key []byte) bool { return bytes.Contains(held, key) }) {
				s.Errorf("%s has a key that was destroyed", path)
			}
		}
	}
}

// filesOf reads every file below a directory.
func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for path := range digests(t, dir) {
		b, err := os.ReadFile(path)
		must(t, err)
		all[path] = b
	}
	return all
}

// check compares the store with what must be true of it.
func (s *schedule) check() {
	s.Helper()
	for name := range s.erased {
		if s.find(name) != nil {
			s.Errorf("%s was erased and is back", name)
		}
	}
	for name := range s.alive {
		if s.find(name) == nil {
			s.Errorf("%s is lost", name)
		}
	}
	for name, until := range s.barred {
		if is, must := s.suppressed(name) != nil, s.clock.Now().Wall.Before(until); is != must {
			s.Errorf("%s is suppressed: %v, and was until %s", name, is, until)
		}
	}
	s.checkLog()
}

// checkLog verifies the log, in the database and exported, and looks there for
// every erasure.
func (s *schedule) checkLog() {
	s.Helper()
	completed := map[string]bool{}
	for _, e := range storetest.CheckLog(s.T, s.dir) {
		if e.To == erasure.Completed {
			completed[e.Request] = true
		}
	}
	for id, is := range s.requests {
		if is == erasure.Completed && !completed[id.String()] {
			s.Errorf("the log does not list that %s was completed", id)
		}
	}
	v, err := evidence.ParseVerifier(s.db.LogKey())
	must(s.T, err)
	var export bytes.Buffer
	must(s.T, s.db.ExportLog(s.Context(), erasure.Terminal, func(_ int64, b []byte) error { _, err := export.Write(b); return err }))
	must(s.T, second(evidence.VerifyLog(&export, v)))
}

package store_test

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// restore puts a backup in place, or an older copy of one of the two files.
func (s *schedule) restore() {
	if len(s.backups) == 0 {
		s.backup()
	}
	n, k := s.IntN(len(s.backups)), s.IntN(len(s.backups))
	switch s.IntN(6) {
	case 0:
		s.say("restore backup %d with the keyring kept", n)
		s.keepKeyring(s.backups[n])
	case 1:
		s.say("restore keyring %d with the database kept", k)
		s.keepDatabase(s.backups[k].keyring)
	case 2:
		if len(s.rolled) == 0 {
			s.snapshot()
		}
		n := s.IntN(len(s.rolled))
		s.say("roll the database back to snapshot %d", n)
		s.rollBack(s.rolled[n])
	case 3:
		s.say("restore backup %d with the keyring's file", n)
		s.restoreOf(s.backups[n], filepath.Join(s.dir, "keyring.db"))
	default:
		s.say("restore backup %d with keyring %d", n, k)
		s.restoreOf(s.backups[n], s.backups[k].keyring)
	}
}

// restoreOf restores both files to a new directory.
func (s *schedule) restoreOf(b taken, keyring string) {
	s.Helper()
	listed := s.leave()
	s.dir = secretsTo(s.T, s.dir)
	s.restoreBy(store.Restore{From: b.dir, KeyringFrom: keyring}, b, keyring, listed)
}

// keepKeyring restores a backup beside the keyring that is there.
func (s *schedule) keepKeyring(b taken) {
	s.Helper()
	listed := s.leave()
	from := s.dir
	s.dir = secretsTo(s.T, from)
	kept := filepath.Join(s.dir, "keyring.db")
	must(s.T, os.Rename(filepath.Join(from, "keyring.db"), kept))
	s.restoreBy(store.Restore{From: b.dir}, b, kept, listed)
}

// keepDatabase restores a keyring beside the database that is there.
func (s *schedule) keepDatabase(keyring string) {
	s.Helper()
	b := s.taken()
	listed := s.leave()
	b.dir = s.copyOf(filepath.Join(s.dir, "efface.db"))
	must(s.T, os.Remove(filepath.Join(s.dir, "keyring.db")))
	s.restoreBy(store.Restore{KeyringFrom: keyring}, b, keyring, listed)
}

// rollBack has a database that is older than its witness brought up to it.
func (s *schedule) rollBack(b taken) {
	s.Helper()
	listed := s.leave()
	old, err := os.ReadFile(filepath.Join(b.dir, "efface.db"))
	must(s.T, err)
	place(s.T, s.dir, "efface.db", string(old))
	s.restoreBy(store.Restore{}, b, filepath.Join(s.dir, "keyring.db"), listed)
}

// leave closes the store, reads from its log who is one, and returns the keys that
// it lists as destroyed.
func (s *schedule) leave() map[string]bool {
	s.Helper()
	s.settle()
	s.close()
	s.merged = mergedPairs(s.T, s.dir)
	return listedKeys(s.T, s.dir)
}

// restoreBy restores, and compares what is there with what must be.
func (s *schedule) restoreBy(r store.Restore, b taken, keyring string, listed map[string]bool) {
	s.Helper()
	all, live := namedKeys(s.T, b.dir), liveKeys(s.T, keyring)
	s.restoreAs(s.options(), r, s.lossOf(all, func(key string) bool { return live[key] != nil || listed[key] }))
	s.noErasedKeyLives()
	s.open()
	s.alive = map[string]bool{}
	for name, id := range b.alive {
		if s.claimed(id) { // while an earlier restore had lost them, maybe
			s.erased[name] = true
		}
		if !s.erased[name] && readable(all[id], live) {
			s.alive[name] = true
		}
	}
	s.checkRequests()
	s.check()
	s.checkServed()
}

// restoreAs restores, and accepts a loss where one must be found.
func (s *schedule) restoreAs(o store.Options, r store.Restore, loss bool) {
	s.Helper()
	if loss {
		s.say("accept the loss")
		if _, err := store.RestoreBackup(s.Context(), o, r); erasure.CodeOf(err) != erasure.CodeConflict {
			s.Fatalf("where keys are lost, the restore ends with %v", err)
		}
		r.AcceptLoss = true
	}
	did, err := store.RestoreBackup(s.Context(), o, r)
	must(s.T, err)
	if (did.Lost > 0) != loss {
		s.Errorf("%d keys are lost", did.Lost)
	}
}

// withoutWitness restores a backup without what happened since: what was true when
// it was made is true again, but for the keys that are destroyed.
func (s *schedule) withoutWitness() {
	s.Helper()
	if len(s.backups) == 0 || s.Failed() {
		return
	}
	b, keyring := s.backups[s.IntN(len(s.backups))], s.backups[s.IntN(len(s.backups))].keyring
	s.say("restore %s with %s and without the witness", b.dir, keyring)
	all, listed := namedKeys(s.T, b.dir), listedKeys(s.T, b.dir)
	live, empty := keysIn(s.T, keyring)
	without := schedule{T: s.T, clock: s.clock, dir: secretsTo(s.T, s.dir), witness: filepath.Join(s.TempDir(), "witness"),
		alive: map[string]bool{}, erased: b.erased, barred: b.barred, requests: b.requests, backups: s.backups}
	loss := without.lossOf(all, func(key string) bool { return live[key] != nil || empty[key] || listed[key] })
	without.restoreAs(without.options(), store.Restore{From: b.dir, KeyringFrom: keyring, WithoutWitness: true}, loss)
	without.open()
	defer without.close()
	without.noErasedKeyLives()
	for name, id := range b.alive {
		if readable(all[id], live) {
			without.alive[name] = true
		}
	}
	without.checkRequests()
	without.check()
}

func readable(keys []named, live map[string][]byte) bool {
	return !slices.ContainsFunc(keys, func(k named) bool { return live[k.key] == nil })
}

package store_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// Whatever was written, merged, requested, cancelled and erased between a backup
// of either file and its restore: nobody who was erased comes back, nobody is lost
// who is alive in the database put in place and whose keys are in the keyring used,
// no acknowledged request or cancel is lost, and the log lists every erasure.
func TestRandomRestoresBringNobodyBackAndLoseNobody(t *testing.T) {
	for seed := range storetest.Scale(t, 1000) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newSchedule(t, uint64(seed))
			for range 40 {
				s.step()
				if t.Failed() {
					return
				}
			}
			s.restore()
			s.clock.Advance(2 * store.DefaultCancelWindow)
			storetest.EraseAll(t, s.db)
			s.settle()
			s.check()
		})
	}
}

// schedule knows what must be true of a store, whatever is restored.
type schedule struct {
	*testing.T
	*rand.Rand
	dir, witness string
	clock        *storetest.Clock
	db           *store.DB

	made     int
	alive    map[string]bool // names that must be found
	erased   map[string]bool // names that must never be found again
	barred   map[string]bool // of those, the ones that are suppressed
	requests map[erasure.RequestID]erasure.State
	targets  map[erasure.RequestID]uuid.UUID // whom they were for when last seen
	backups  []taken
	said     []string
}

// taken is a backup and who was alive in it.
type taken struct {
	dir, keyring string
	alive        map[string]uuid.UUID
}

func newSchedule(t *testing.T, seed uint64) *schedule {
	s := &schedule{T: t, Rand: rand.New(rand.NewPCG(seed, 5)), dir: filepath.Join(t.TempDir(), "data"), witness: filepath.Join(t.TempDir(), "witness"),
		clock: storetest.NewClock(), alive: map[string]bool{}, erased: map[string]bool{}, barred: map[string]bool{}, requests: map[erasure.RequestID]erasure.State{},
		targets: map[erasure.RequestID]uuid.UUID{}}
	s.open()
	t.Cleanup(func() {
		s.close()
		if t.Failed() {
			t.Log(s.said)
		}
	})
	return s
}

func (s *schedule) options() store.Options {
	return store.Options{Dir: s.dir, Witness: s.witness, Clock: s.clock, Serve: true}
}

func (s *schedule) open() {
	s.Helper()
	var err error
	s.db, err = store.Open(s.Context(), s.options())
	must(s.T, err)
}

func (s *schedule) close() { must(s.T, s.db.Close()) }

func (s *schedule) step() {
	s.clock.Advance(time.Duration(s.IntN(3)) * time.Hour)
	steps := []func(){s.write, s.write, s.more, s.merge, s.request, s.request, s.requestUnknown, s.cancel, s.partly, s.erase, s.backup, s.lift}
	if s.IntN(12) == 0 {
		s.restore()
		return
	}
	steps[s.IntN(len(steps))]()
}

func (s *schedule) say(format string, args ...any) {
	s.said = append(s.said, fmt.Sprintf(format, args...))
}

// write tells of somebody new.
func (s *schedule) write() {
	name := fmt.Sprint("a", s.made)
	s.made++
	s.say("write %s", name)
	storetest.Identify(s.T, s.db, "web", "anonymous_id", name, "email", name+"@example.com")
	s.alive[name] = true
}

func (s *schedule) one() (name string, ok bool) {
	if len(s.alive) == 0 {
		return "", false
	}
	names := slices.Sorted(maps.Keys(s.alive))
	return names[s.IntN(len(names))], true
}

// more tells more of somebody by another source.
func (s *schedule) more() {
	if name, ok := s.one(); ok && s.find(name) != nil {
		s.say("more of %s", name)
		storetest.Identify(s.T, s.db, fmt.Sprint("source", s.IntN(3)), "anonymous_id", name, "email", name+"@example.com")
	}
}

func (s *schedule) merge() {
	a, ok := s.one()
	b, _ := s.one()
	if ok && a != b {
		s.say("merge %s and %s", a, b)
		storetest.Identify(s.T, s.db, "app", "anonymous_id", a, "anonymous_id", b)
	}
}

func (s *schedule) request() {
	name, ok := s.one()
	if !ok {
		return
	}
	r, created, err := s.db.RequestErasure(s.Context(), erasure.NewRequest{Asked: storetest.Identifiers("anonymous_id", name)[0],
		Origin: erasure.API, Actor: erasure.System, Reason: "asked by mail", Suppress: s.IntN(2) == 0})
	must(s.T, err)
	if created {
		s.requests[r.ID] = erasure.Pending
	}
	s.say("request %s for %s", r.ID, name)
}

// requestUnknown asks for somebody who may come later.
func (s *schedule) requestUnknown() {
	name := fmt.Sprint("a", s.made+s.IntN(2))
	r, created, err := s.db.RequestErasure(s.Context(), erasure.NewRequest{Asked: storetest.Identifiers("anonymous_id", name)[0],
		Origin: erasure.June, Actor: erasure.System, Unknown: true})
	must(s.T, err)
	if created {
		s.requests[r.ID] = erasure.Pending
	}
	s.say("request %s for %s, who is unknown", r.ID, name)
}

func (s *schedule) inState(state erasure.State) (ids []erasure.RequestID) {
	for id, is := range s.requests {
		if is == state {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b erasure.RequestID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

func (s *schedule) cancel() {
	pending := s.inState(erasure.Pending)
	if len(pending) == 0 {
		return
	}
	id := pending[s.IntN(len(pending))]
	s.say("cancel %s", id)
	_, err := s.db.Cancel(s.Context(), id, erasure.System, erasure.API)
	if code := erasure.CodeOf(err); code != erasure.CodeTooLate {
		must(s.T, err)
		s.settle()
	}
}

// partly claims what is due, and goes on for some way.
func (s *schedule) partly() {
	s.clock.Advance(time.Duration(s.IntN(30)) * time.Hour)
	must(s.T, second(s.db.ClaimDue(s.Context(), 1+s.IntN(3))))
	if s.IntN(2) == 0 {
		_, _, err := s.db.DestroyKeys(s.Context(), 10)
		must(s.T, err)
		if s.IntN(2) == 0 {
			_, _, err := s.db.DeleteRows(s.Context(), 1+s.IntN(6))
			must(s.T, err)
		}
	}
	s.say("erase in part")
	s.settle()
}

func (s *schedule) erase() {
	s.clock.Advance(time.Duration(s.IntN(30)) * time.Hour)
	storetest.EraseAll(s.T, s.db)
	s.say("erase all that is due")
	s.settle()
}

// settle reads how the requests stand, and who is gone for that.
func (s *schedule) settle() {
	for id := range s.requests {
		r, err := s.db.Request(s.Context(), id)
		must(s.T, err)
		s.requests[id] = r.State
		if r.EffaceID != nil {
			s.targets[id] = *r.EffaceID
		}
	}
	for name := range s.alive {
		if s.find(name) == nil {
			s.say("%s is erased", name)
			delete(s.alive, name)
			s.erased[name] = true
			s.barred[name] = s.suppressed(name) != nil
		}
	}
}

// suppressed returns the suppression of a name's e-mail address.
func (s *schedule) suppressed(name string) *erasure.Suppression {
	s.Helper()
	found, err := s.db.CheckSuppressions(s.Context(), erasure.System, storetest.Identifiers("email", name+"@example.com"))
	must(s.T, err)
	return found[0]
}

// lift lets somebody who was erased be collected again.
func (s *schedule) lift() {
	for name, barred := range s.barred {
		if barred {
			f := s.suppressed(name)
			must(s.T, second(s.db.Lift(s.Context(), erasure.System, erasure.Lift{Fingerprint: f.Fingerprint, Request: f.Request, Reason: erasure.LiftMistake})))
			s.say("lift %s", name)
			s.barred[name] = false
			return
		}
	}
}

func (s *schedule) backup() {
	b := taken{dir: filepath.Join(s.TempDir(), "backup"), keyring: filepath.Join(s.TempDir(), "keyring.db"), alive: map[string]uuid.UUID{}}
	for name := range s.alive {
		b.alive[name] = *s.find(name)
	}
	must(s.T, second(s.db.Backup(s.Context(), erasure.Terminal, b.dir, b.keyring)))
	s.say("backup %d", len(s.backups))
	s.backups = append(s.backups, b)
}

// find returns the User ID that both of a name's identifiers lead to.
func (s *schedule) find(name string) *uuid.UUID {
	s.Helper()
	var ids []uuid.UUID
	for _, id := range storetest.Identifiers("anonymous_id", name, "email", name+"@example.com") {
		found, err := s.db.Find(s.Context(), id)
		must(s.T, err)
		for _, p := range found {
			ids = append(ids, p.EffaceID)
		}
	}
	switch {
	case len(ids) == 0:
		return nil
	case len(ids) != 2 || ids[0] != ids[1]:
		s.Errorf("%s is found by some of its identifiers: %v", name, ids)
	}
	return &ids[0]
}

// restore puts a backup in place, with the keyring as it is or an older copy.
func (s *schedule) restore() {
	if len(s.backups) == 0 {
		s.backup()
	}
	n := s.IntN(len(s.backups))
	k := s.IntN(len(s.backups) + 2)
	keyring := filepath.Join(s.dir, "keyring.db")
	if k < len(s.backups) {
		keyring = s.backups[k].keyring
	}
	s.say("restore backup %d with keyring %d", n, k)
	s.restoreOf(s.backups[n], keyring)
}

// restoreOf restores to a new directory, and compares what is there with what
// must be.
func (s *schedule) restoreOf(b taken, keyring string) {
	s.Helper()
	s.close()
	s.dir = secretsTo(s.T, s.dir)
	named, live := namedKeys(s.T, b.dir), liveKeys(s.T, keyring)
	r := store.Restore{From: b.dir, KeyringFrom: keyring}
	did, err := store.RestoreBackup(s.Context(), s.options(), r)
	if erasure.CodeOf(err) == erasure.CodeConflict {
		s.say("accept the loss")
		r.AcceptLoss = true
		did, err = store.RestoreBackup(s.Context(), s.options(), r)
	}
	must(s.T, err)
	if (did.Lost > 0) != r.AcceptLoss {
		s.Errorf("%d keys are lost", did.Lost)
	}
	s.noErasedKeyLives()
	s.open()
	s.alive = map[string]bool{}
	for name, id := range b.alive {
		if s.claimed(id) { // while an earlier restore had lost them, maybe
			s.erased[name] = true
		}
		if !s.erased[name] && !slices.ContainsFunc(named[id], func(key string) bool { return !live[key] }) {
			s.alive[name] = true
		}
	}
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
	s.check()
}

// claimed reports whether a request for somebody went beyond its window.
func (s *schedule) claimed(profile uuid.UUID) bool {
	for id, target := range s.targets {
		if is := s.requests[id]; target == profile && is != erasure.Pending && is != erasure.Cancelled {
			return true
		}
	}
	return false
}

// noErasedKeyLives looks for the keys that the log lists, in the bytes of the
// keyring.
func (s *schedule) noErasedKeyLives() {
	s.Helper()
	live := liveKeys(s.T, filepath.Join(s.dir, "keyring.db"))
	eachOf(s.T, filepath.Join(s.dir, "efface.db"), `SELECT entry, kind FROM log_entries WHERE kind = 'request.keys_destroyed'`, func(entry, _ []byte) {
		e, err := erasure.ParseEntry(entry)
		must(s.T, err)
		for _, key := range e.Keys {
			if live[string(key[:])] {
				s.Errorf("a key that %s destroyed is alive again", e.Request)
			}
		}
	})
}

// namedKeys lists the ids of the keys that a backup's profiles have.
func namedKeys(t *testing.T, dir string) map[uuid.UUID][]string {
	t.Helper()
	named := map[uuid.UUID][]string{}
	eachOf(t, filepath.Join(dir, "efface.db"), `SELECT p.efface_id, f.key_id FROM profiles p JOIN fragments f ON f.profile = p.id`, func(id, key []byte) {
		named[uuid.UUID(id)] = append(named[uuid.UUID(id)], string(key))
	})
	return named
}

// liveKeys lists the ids of the keys that a keyring holds and that are not zeros.
func liveKeys(t *testing.T, path string) map[string]bool {
	t.Helper()
	live := map[string]bool{}
	eachOf(t, path, `SELECT substr(k, 1, 16), substr(k, 17) FROM keys`, func(id, key []byte) {
		if len(bytes.Trim(key, "\x00")) > 0 {
			live[string(id)] = true
		}
	})
	return live
}

// eachOf reads a copy of a database, which reading might change.
func eachOf(t *testing.T, path, query string, fn func(a, b []byte)) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	copied := filepath.Join(t.TempDir(), "efface.db")
	must(t, os.WriteFile(copied, b, 0o600))
	rows, err := storetest.Raw(t, filepath.Dir(copied)).Query(query)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var a, b []byte
		must(t, rows.Scan(&a, &b))
		fn(a, b)
	}
	must(t, rows.Err())
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
	for name, barred := range s.barred {
		if is := s.suppressed(name) != nil; is != barred {
			s.Errorf("%s is suppressed: %v", name, is)
		}
	}
	storetest.CheckLog(s.T, s.dir)
}

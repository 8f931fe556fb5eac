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
// of either file and its restore: nobody who was erased comes back, not in the store,
// on pages, by the API, in exports or in the files' bytes; nobody is lost who is alive
// in the database put in place and whose keys are in the keyring used, no acknowledged
// request or cancel is lost, and the log lists every erasure.
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
			s.withoutWitness()
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
	alive    map[string]bool            // names that must be found
	erased   map[string]bool            // names that must never be found again
	barred   map[string]time.Time       // until when, of those, an address is suppressed
	ended    map[erasure.RequestID]bool // whose keys are destroyed
	requests map[erasure.RequestID]erasure.State
	ids      map[string][]uuid.UUID            // the User IDs that led to a name
	targets  map[erasure.RequestID][]uuid.UUID // whom they were for, also before a restore lost them
	merged   [][2]uuid.UUID                    // whom the log tells to be one
	backups  []taken
	rolled   []taken // copies of the database alone, as its disk might be rolled back to
	said     []string
}

func newSchedule(t *testing.T, seed uint64) *schedule {
	s := &schedule{T: t, Rand: rand.New(rand.NewPCG(seed, 5)), dir: filepath.Join(t.TempDir(), "data"), witness: filepath.Join(t.TempDir(), "witness"),
		clock: storetest.NewClock(), alive: map[string]bool{}, erased: map[string]bool{}, barred: map[string]time.Time{}, ended: map[erasure.RequestID]bool{}, requests: map[erasure.RequestID]erasure.State{},
		targets: map[erasure.RequestID][]uuid.UUID{}, ids: map[string][]uuid.UUID{}}
	s.open()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.said)
		}
		s.close()
	})
	return s
}

func (s *schedule) options() store.Options {
	return store.Options{Dir: s.dir, Witness: s.witness, Clock: s.clock, Serve: true, SuppressFor: 72 * time.Hour}
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
	steps := []func(){s.write, s.write, s.more, s.merge, s.request, s.request, s.requestUnknown, s.cancel, s.partly, s.erase, s.backup, s.lift,
		s.relative, s.relative, s.requestFamily, s.sweep, s.snapshot}
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

// relative tells of somebody new who shares an address with others.
func (s *schedule) relative() {
	name := fmt.Sprint("a", s.made)
	s.made++
	family := s.family()
	s.say("write %s of %s", name, family)
	storetest.Identify(s.T, s.db, "web", "user_id", name, "anonymous_id", name, "email", name+"@example.com", "email", family)
	s.alive[name] = true
}

func (s *schedule) family() string { return fmt.Sprint("family", s.IntN(2), "@example.com") }

// requestFamily asks for everybody who shares an address.
func (s *schedule) requestFamily() {
	family := s.family()
	rs, _, err := s.db.RequestMatches(s.Context(), erasure.NewRequest{Asked: storetest.Identifiers("email", family)[0],
		Origin: erasure.Lytics, Actor: erasure.System, Suppress: s.IntN(2) == 0})
	if code := erasure.CodeOf(err); code != erasure.CodeNotFound && code != erasure.CodeConflict {
		must(s.T, err)
	}
	for _, r := range rs {
		if _, known := s.requests[r.ID]; !known {
			s.requests[r.ID] = erasure.Pending
		}
		s.say("request %s for one of %s", r.ID, family)
	}
}

func (s *schedule) sweep() {
	s.say("sweep")
	must(s.T, second(s.db.Sweep(s.Context(), store.SweepOptions{})))
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

// lift lets somebody who was erased be collected again.
func (s *schedule) lift() {
	for _, name := range slices.Sorted(maps.Keys(s.barred)) {
		if s.clock.Now().Wall.Before(s.barred[name]) {
			f := s.suppressed(name)
			must(s.T, second(s.db.Lift(s.Context(), erasure.System, erasure.Lift{Fingerprint: f.Fingerprint, Request: f.Request, Reason: erasure.LiftMistake})))
			s.say("lift %s", name)
			s.barred[name] = time.Time{}
			return
		}
	}
}

func (s *schedule) backup() {
	b := s.taken()
	b.dir, b.keyring = filepath.Join(s.TempDir(), "backup"), filepath.Join(s.TempDir(), "keyring.db")
	must(s.T, second(s.db.Backup(s.Context(), erasure.Terminal, b.dir, b.keyring)))
	s.say("backup %d", len(s.backups))
	s.backups = append(s.backups, b)
}

// snapshot keeps the database as it stands on its disk.
func (s *schedule) snapshot() {
	b := s.taken()
	s.close()
	b.dir = s.copyOf(filepath.Join(s.dir, "efface.db"))
	s.open()
	s.say("snapshot %d", len(s.rolled))
	s.rolled = append(s.rolled, b)
}

// copyOf copies a file to a directory of its own.
func (s *schedule) copyOf(path string) (dir string) {
	dir = s.TempDir()
	b, err := os.ReadFile(path)
	must(s.T, err)
	place(s.T, dir, filepath.Base(path), string(b))
	return dir
}

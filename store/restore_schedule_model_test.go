package store_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// taken is a copy of the database, and what was true when it was made.
type taken struct {
	dir, keyring string
	alive        map[string]uuid.UUID
	erased       map[string]bool
	barred       map[string]time.Time
	requests     map[erasure.RequestID]erasure.State
}

// taken is what is true now.
func (s *schedule) taken() taken {
	s.settle()
	b := taken{alive: map[string]uuid.UUID{}, erased: maps.Clone(s.erased), barred: maps.Clone(s.barred), requests: maps.Clone(s.requests)}
	for name := range s.alive {
		b.alive[name] = *s.find(name)
	}
	return b
}

// settle reads how the requests stand, and who is gone for that.
func (s *schedule) settle() {
	for id := range s.requests {
		r, err := s.db.Request(s.Context(), id)
		must(s.T, err)
		s.requests[id] = r.State
		s.ended[id] = !r.KeysDestroyedAt.IsZero()
		if r.EffaceID != nil && !slices.Contains(s.targets[id], *r.EffaceID) {
			s.targets[id] = append(s.targets[id], *r.EffaceID)
		}
	}
	for name := range s.alive {
		if id := s.find(name); id != nil {
			if !slices.Contains(s.ids[name], *id) {
				s.ids[name] = append(s.ids[name], *id)
			}
		} else {
			s.say("%s is erased", name)
			delete(s.alive, name)
			s.erased[name] = true
			s.barred[name] = time.Time{}
			if f := s.suppressed(name); f != nil {
				s.barred[name] = f.Until
			}
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

// claimed reports whether a request for somebody went beyond its window.
func (s *schedule) claimed(profile uuid.UUID) bool {
	for id := range s.targets {
		if is := s.requests[id]; s.isFor(id, profile) && is != erasure.Pending && is != erasure.Cancelled {
			return true
		}
	}
	return false
}

// isFor reports whether a request was for somebody, or for whom the log tells to be
// one with them: of a backup from before that, too.
func (s *schedule) isFor(request erasure.RequestID, profile uuid.UUID) bool {
	one := []uuid.UUID{profile}
	for i := 0; i < len(one); i++ {
		if slices.Contains(s.targets[request], one[i]) {
			return true
		}
		for _, pair := range s.merged {
			for n, id := range pair {
				if other := pair[1-n]; id == one[i] && !slices.Contains(one, other) {
					one = append(one, other)
				}
			}
		}
	}
	return false
}

// named is a key that a profile in a database has.
type named struct {
	key     string
	claimed bool
}

// namedKeys lists the keys of each profile in a database, by its User ID.
func namedKeys(t *testing.T, dir string) map[uuid.UUID][]named {
	t.Helper()
	all, claimed := map[uuid.UUID][]named{}, map[string]bool{}
	path := filepath.Join(dir, "efface.db")
	eachOf(t, path, `SELECT p.efface_id, c.profile FROM profiles p JOIN claimed c ON c.profile = p.id`, func(id, _ []byte) { claimed[string(id)] = true })
	eachOf(t, path, `SELECT p.efface_id, f.key_id FROM profiles p JOIN fragments f ON f.profile = p.id`, func(id, key []byte) {
		all[uuid.UUID(id)] = append(all[uuid.UUID(id)], named{string(key), claimed[string(id)]})
	})
	return all
}

// lossOf reports whether a restore of a database must find that a keyring lacks
// keys of people who were not erased.
func (s *schedule) lossOf(all map[uuid.UUID][]named, fine func(key string) bool) bool {
	for id, keys := range all {
		carriedOut := false // or begun
		for request := range s.targets {
			begun := s.ended[request] || s.requests[request] == erasure.InProgress || s.requests[request] == erasure.Failed
			carriedOut = carriedOut || begun && s.isFor(request, id)
		}
		for _, k := range keys {
			if !fine(k.key) && !k.claimed && !carriedOut {
				return true
			}
		}
	}
	return false
}

// listedKeys are the keys that the log of a database lists as destroyed.
func listedKeys(t *testing.T, dir string) map[string]bool {
	t.Helper()
	listed := map[string]bool{}
	for _, e := range entriesOf(t, dir, erasure.KeysDestroyed) {
		for _, key := range e.Keys {
			listed[string(key[:])] = true
		}
	}
	return listed
}

// mergedPairs are the User IDs that the log of a database tells to be one.
func mergedPairs(t *testing.T, dir string) (pairs [][2]uuid.UUID) {
	t.Helper()
	for _, e := range entriesOf(t, dir, erasure.ProfileMerged) {
		pairs = append(pairs, [2]uuid.UUID(e.Profiles))
	}
	return pairs
}

// entriesOf reads the entries of a kind in the log of a database.
func entriesOf(t *testing.T, dir string, kind erasure.Kind) (entries []erasure.Entry) {
	t.Helper()
	eachOf(t, filepath.Join(dir, "efface.db"), `SELECT entry, kind FROM log_entries WHERE kind = '`+string(kind)+`' ORDER BY idx`, func(entry, _ []byte) {
		e, err := erasure.ParseEntry(entry)
		must(t, err)
		entries = append(entries, e)
	})
	return entries
}

// liveKeys lists what a keyring holds by the ids of the keys, and not as zeros.
func liveKeys(t *testing.T, path string) map[string][]byte {
	t.Helper()
	live, _ := keysIn(t, path)
	return live
}

// keysIn lists the keys of a keyring, and the ids of those that are zeros.
func keysIn(t *testing.T, path string) (live map[string][]byte, empty map[string]bool) {
	t.Helper()
	live, empty = map[string][]byte{}, map[string]bool{}
	eachOf(t, path, `SELECT substr(k, 1, 16), substr(k, 17) FROM keys`, func(id, key []byte) {
		if len(bytes.Trim(key, "\x00")) > 0 {
			live[string(id)] = bytes.Clone(key)
		} else {
			empty[string(id)] = true
		}
	})
	return live, empty
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

package store_test

import (
	"path/filepath"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// A merge that came after the backup decides whom a request is for.
func TestARequestIsForWhoWasJoinedBeforeIt(t *testing.T) {
	for name, claim := range map[string]bool{"pending": false, "claimed": true} {
		t.Run(name, func(t *testing.T) {
			d := openOnDisk(t)
			for _, a := range []string{"a1", "a2"} {
				storetest.Identify(t, d.DB, "web", "anonymous_id", a, "email", a+"@example.com")
			}
			backup, keyring, _ := d.backup(t)
			storetest.Identify(t, d.DB, "app", "anonymous_id", "a1", "anonymous_id", "a2")
			storetest.Requested(t, d.DB, "anonymous_id", "a2")
			if claim {
				d.clock.Advance(store.DefaultCancelWindow)
				must(t, second(d.ClaimDue(t.Context(), 10)))
			}
			after, _ := d.restoredFrom(t, store.Restore{From: backup, KeyringFrom: keyring})
			after.clock.Advance(store.DefaultCancelWindow)
			storetest.EraseAll(t, after.DB)
			for _, a := range []string{"a1", "a2"} {
				if found, err := after.Find(t.Context(), storetest.Identifiers("anonymous_id", a)[0]); err != nil || len(found) != 0 {
					t.Errorf("%s is still there: %v", a, err)
				}
			}
			storetest.CheckLog(t, after.dir)
		})
	}
}

// An older backup is put in place, which lacks somebody who asked to be erased;
// that is carried out; then the newer one is, which has them.
func TestWhoAsksAndIsLostForAWhileIsErased(t *testing.T) {
	for name, comesBack := range map[string]bool{"nobody comes meanwhile": false, "they come back meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			s := newSchedule(t, 0)
			s.backup()
			s.write()
			s.backup()
			s.request()
			id := s.inState(erasure.Pending)[0]
			s.restoreOf(s.backups[0], s.backups[0].keyring)
			if comesBack {
				storetest.Identify(t, s.db, "web", "anonymous_id", "a0", "email", "a0@example.com")
			}
			s.clock.Advance(store.DefaultCancelWindow)
			storetest.EraseAll(t, s.db)
			if s.settle(); s.requests[id] != erasure.Completed {
				t.Fatalf("the request is %s", s.requests[id])
			}
			s.erased["a0"] = true
			s.restoreOf(s.backups[1], s.backups[1].keyring)
			storetest.EraseAll(t, s.db)
			s.check()
		})
	}
}

// Two who share an address were asked for by it, and are in no backup: one of the
// requests waits for it, and both end.
func TestTwoRequestsForOneIdentifierAreRestored(t *testing.T) {
	d := openOnDisk(t)
	backup, keyring, _ := d.backup(t)
	for _, user := range []string{"u1", "u2"} {
		storetest.Identify(t, d.DB, "web", "user_id", user, "email", "family@example.com")
	}
	rs, _, err := d.RequestMatches(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("email", "family@example.com")[0],
		Origin: erasure.Lytics, Actor: erasure.System})
	must(t, err)
	after, did := d.restoredFrom(t, store.Restore{From: backup, KeyringFrom: keyring})
	if did.Pending != 2 {
		t.Errorf("the restore tells of %+v", did)
	}
	storetest.Identify(t, after.DB, "web", "user_id", "u1", "email", "family@example.com")
	after.clock.Advance(store.DefaultCancelWindow)
	storetest.EraseAll(t, after.DB)
	for _, r := range rs {
		if got := after.state(t, r.ID); got != erasure.Completed {
			t.Errorf("request %s is %s", r.ID, got)
		}
	}
	if found, err := after.Find(t.Context(), storetest.Identifiers("email", "family@example.com")[0]); err != nil || len(found) != 0 {
		t.Errorf("%d are found, %v", len(found), err)
	}
	storetest.CheckLog(t, after.dir)
}

// Requests that are joined are claimed, and the profile is not in the backup: both
// keys are destroyed before they are completed.
func TestJoinedRequestsOfALostProfileLeaveNoKey(t *testing.T) {
	d := openOnDisk(t)
	backup, keyring, _ := d.backup(t)
	waits := asks(t, d, "later@example.com")
	storetest.Identify(t, d.DB, "web", "user_id", "u1")
	open := storetest.Requested(t, d.DB, "user_id", "u1")
	storetest.Identify(t, d.DB, "web", "user_id", "u1", "email", "later@example.com")
	if r, err := d.Request(t.Context(), waits.ID); err != nil || r.Joined == nil || *r.Joined != open.ID {
		t.Fatalf("the request is joined with %v, %v", r.Joined, err)
	}
	d.clock.Advance(store.DefaultCancelWindow)
	must(t, second(d.ClaimDue(t.Context(), 10)))
	after, _ := d.restoredFrom(t, store.Restore{From: backup, KeyringFrom: keyring})
	keys := map[string]bool{}
	rows, err := storetest.Raw(t, after.dir).Query(`SELECT key_id FROM requests WHERE key_id IS NOT NULL`)
	must(t, err)
	for rows.Next() {
		var id []byte
		must(t, rows.Scan(&id))
		keys[string(id)] = true
	}
	must(t, rows.Err())
	storetest.EraseAll(t, after.DB)
	var listed int
	for _, e := range storetest.CheckLog(t, after.dir) {
		listed += len(e.Keys)
	}
	if len(keys) != 2 || listed != 2 {
		t.Errorf("%d keys of requests were destroyed, of %d", listed, len(keys))
	}
}

// A newer backup is made before an older one is put in place, and has more of
// somebody who is erased in between: all of it goes when the newer one is.
func TestAnErasureReachesWhatAnotherBackupHasOfThem(t *testing.T) {
	for name, kept := range map[string]bool{"with a copy of the keyring": false, "with the keyring that is there": true} {
		t.Run(name, func(t *testing.T) {
			s := newSchedule(t, 0)
			s.write()
			s.backup()
			storetest.Identify(t, s.db, "shop", "anonymous_id", "a0", "email", "a0@example.com")
			s.backup()
			s.restoreOf(s.backups[0], filepath.Join(s.dir, "keyring.db"))
			s.request()
			s.clock.Advance(store.DefaultCancelWindow)
			storetest.EraseAll(t, s.db)
			if s.settle(); !s.erased["a0"] {
				t.Fatal("a0 is not erased")
			}
			if kept {
				s.keepKeyring(s.backups[1])
			} else {
				s.restoreOf(s.backups[1], s.backups[1].keyring)
			}
			live := liveKeys(t, filepath.Join(s.dir, "keyring.db"))
			for _, keys := range namedKeys(t, s.dir) {
				for _, k := range keys {
					if live[k.key] != nil {
						t.Errorf("the key %x of an erased person is alive", k.key)
					}
				}
			}
			storetest.EraseAll(t, s.db)
			s.settle()
			s.check()
		})
	}
}

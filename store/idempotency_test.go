package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func askFor(email string, key uuid.UUID) erasure.NewRequest {
	return erasure.NewRequest{
		Asked:  erasure.Identifier{Table: erasure.User, Key: "email", Value: email},
		Origin: erasure.API, Actor: erasure.Actor{Kind: erasure.ByKey, ID: key},
	}
}

func TestACallSentAgainLeadsToTheSameRequest(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.Open(t, storetest.WithClock(clock))
	storetest.Identify(t, db, "crm", "email", "ann@example.com")
	storetest.Identify(t, db, "crm", "email", "bob@example.com")
	key := liveKey(t, db)
	once := store.Once{Key: "ticket-1", Call: []byte("ann")}

	first, created, err := db.RequestErasureOnce(t.Context(), askFor("ann@example.com", key), once)
	if err != nil || !created {
		t.Fatalf("created is %v, and the error %v", created, err)
	}
	if _, err := db.Cancel(t.Context(), first.ID, erasure.System, erasure.API); err != nil {
		t.Fatal(err)
	}
	again, created, err := db.RequestErasureOnce(t.Context(), askFor("ann@example.com", key), once)
	if err != nil || created || again.ID != first.ID || again.State != erasure.Cancelled {
		t.Errorf("sent again it is %v %s, created %v, error %v", again.ID, again.State, created, err)
	}
	_, _, err = db.RequestErasureOnce(t.Context(), askFor("bob@example.com", key), store.Once{Key: "ticket-1", Call: []byte("bob")})
	if erasure.CodeOf(err) != erasure.CodeKeyReused {
		t.Errorf("another call with the same key gives %v", err)
	}
	other, created, err := db.RequestErasureOnce(t.Context(), askFor("ann@example.com", liveKey(t, db)), once)
	if err != nil || !created || other.ID == first.ID {
		t.Errorf("another API key's call is taken for this one's: %v", err)
	}
	clock.Advance(store.OnceLife)
	if later, _, err := db.RequestErasureOnce(t.Context(), askFor("bob@example.com", key), store.Once{Key: "ticket-1", Call: []byte("bob")}); err != nil || later.ID == first.ID {
		t.Errorf("after its time the key is still taken: %v", err)
	}
}

func TestARefusedCallMayBeSentAgain(t *testing.T) {
	db := storetest.Open(t)
	key, once := liveKey(t, db), store.Once{Key: "ticket-2", Call: []byte("ann")}
	if _, _, err := db.RequestErasureOnce(t.Context(), askFor("ann@example.com", key), once); erasure.CodeOf(err) != erasure.CodeNotFound {
		t.Fatal(err)
	}
	storetest.Identify(t, db, "crm", "email", "ann@example.com")
	if _, created, err := db.RequestErasureOnce(t.Context(), askFor("ann@example.com", key), once); err != nil || !created {
		t.Errorf("created is %v, and the error %v", created, err)
	}
}

func TestACancelSentAgainIsAnsweredAsTheFirst(t *testing.T) {
	db := storetest.Open(t)
	storetest.Identify(t, db, "crm", "email", "ann@example.com")
	actor := erasure.Actor{Kind: erasure.ByKey, ID: liveKey(t, db)}
	r, _, err := db.RequestErasure(t.Context(), askFor("ann@example.com", actor.ID))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := db.CancelOnce(t.Context(), r.ID, actor, erasure.API, store.Once{Key: "c-1", Call: []byte(r.ID.String())})
		if err != nil || got.State != erasure.Cancelled {
			t.Errorf("it is %s, and the error %v", got.State, err)
		}
	}
	if _, err := db.CancelOnce(t.Context(), r.ID, actor, erasure.API, store.Once{}); erasure.CodeOf(err) != erasure.CodeNotPending {
		t.Errorf("a second cancel gives %v", err)
	}
}

func TestIdempotencyKeysAndCallsAreKeptAsDigestsOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	db := storetest.Open(t, func(o *store.Options) { o.Dir = dir })
	storetest.Identify(t, db, "crm", "email", "ann@example.com")
	once := store.Once{Key: "marker-key@example.com", Call: []byte("marker-call@example.com")}
	if _, _, err := db.RequestErasureOnce(t.Context(), askFor("ann@example.com", liveKey(t, db)), once); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("marker-")) {
			t.Errorf("%s holds what the client sent", filepath.Base(f))
		}
	}
}

// liveKey makes an API key and returns its id.
func liveKey(t *testing.T, db *store.DB) uuid.UUID {
	t.Helper()
	_, k, err := db.CreateKey(t.Context(), erasure.System, store.NewKey{Name: uuid.NewString(), Scopes: []erasure.Scope{erasure.ScopeDeletionsWrite}})
	if err != nil {
		t.Fatal(err)
	}
	return k.ID
}

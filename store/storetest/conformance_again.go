package storetest

import (
	"testing"

	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// sentAgain is what idempotency keys do.
var sentAgain = behaviours{
	"a call sent again leads to the same request": func(t *testing.T, d trial) {
		Identify(t, d.DB, "crm", "email", "ann@example.com")
		Identify(t, d.DB, "crm", "email", "bob@example.com")
		key, once := LiveKey(t, d.DB), store.Once{Key: "ticket-1", Call: []byte("ann")}
		first, created, err := d.RequestErasureOnce(t.Context(), AskFor("ann@example.com", key), once)
		if err != nil || !created {
			t.Fatalf("created is %v, and the error %v", created, err)
		}
		must(t, d.cancel(t, first.ID))
		again, created, err := d.RequestErasureOnce(t.Context(), AskFor("ann@example.com", key), once)
		if err != nil || created || again.ID != first.ID || again.State != erasure.Cancelled {
			t.Errorf("sent again it is %v %s, created %v, error %v", again.ID, again.State, created, err)
		}
		other := store.Once{Key: "ticket-1", Call: []byte("bob")}
		_, _, err = d.RequestErasureOnce(t.Context(), AskFor("bob@example.com", key), other)
		WantCode(t, err, erasure.CodeKeyReused)
		theirs, created, err := d.RequestErasureOnce(t.Context(), AskFor("ann@example.com", LiveKey(t, d.DB)), once)
		if err != nil || !created || theirs.ID == first.ID {
			t.Errorf("another API key's call is taken for this one's: %v", err)
		}
		d.clock.Advance(store.OnceLife)
		if later, _, err := d.RequestErasureOnce(t.Context(), AskFor("bob@example.com", key), other); err != nil || later.ID == first.ID {
			t.Errorf("after its time the key is still taken: %v", err)
		}
	},
	"a refused call may be sent again": func(t *testing.T, d trial) {
		key, once := LiveKey(t, d.DB), store.Once{Key: "ticket-2", Call: []byte("ann")}
		_, _, err := d.RequestErasureOnce(t.Context(), AskFor("ann@example.com", key), once)
		WantCode(t, err, erasure.CodeNotFound)
		Identify(t, d.DB, "crm", "email", "ann@example.com")
		if _, created, err := d.RequestErasureOnce(t.Context(), AskFor("ann@example.com", key), once); err != nil || !created {
			t.Errorf("created is %v, and the error %v", created, err)
		}
	},
	"a cancel sent again is answered as the first": func(t *testing.T, d trial) {
		Identify(t, d.DB, "crm", "email", "ann@example.com")
		ask := AskFor("ann@example.com", LiveKey(t, d.DB))
		r, _, err := d.RequestErasure(t.Context(), ask)
		must(t, err)
		for range 2 {
			got, err := d.CancelOnce(t.Context(), r.ID, ask.Actor, erasure.API, store.Once{Key: "c-1", Call: []byte(r.ID.String())})
			if err != nil || got.State != erasure.Cancelled {
				t.Errorf("it is %s, and the error %v", got.State, err)
			}
		}
		_, err = d.CancelOnce(t.Context(), r.ID, ask.Actor, erasure.API, store.Once{})
		WantCode(t, err, erasure.CodeNotPending)
		d.logged(t, r.ID, erasure.RequestCreated, erasure.RequestCancelled)
	},
}

// AskFor is what a script with an API key asks for.
func AskFor(email string, key uuid.UUID) erasure.NewRequest {
	return erasure.NewRequest{Asked: Identifiers("email", email)[0], Origin: erasure.API, Actor: erasure.Actor{Kind: erasure.ByKey, ID: key}}
}

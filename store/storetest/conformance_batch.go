package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// batches is requests that are made together.
var batches = behaviours{
	"a batch asks for everyone and says what became of each identifier": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "a@example.com")
		Identify(t, d.DB, "shop", "user_id", "u2", "email", "shared@example.com")
		Identify(t, d.DB, "shop", "user_id", "u3", "email", "shared@example.com")
		before := Requested(t, d.DB, "user_id", "u3")
		b, results := d.batch(t, erasure.NewBatch{Asked: Identifiers("user_id", "u1", "email", "a@example.com", "email", "shared@example.com",
			"user_id", "nobody", "user_id", "u3", "user_id", " ", "user_id", "u2")})
		want := []erasure.BatchOutcome{erasure.Queued, erasure.AlreadyRequested, erasure.Shared, erasure.NotFound, erasure.AlreadyRequested,
			erasure.Refused, erasure.Queued}
		for i, r := range results {
			if r.Outcome != want[i] {
				t.Errorf("identifier %d is %s, not %s", i, r.Outcome, want[i])
			}
			if explained := r.Detail != ""; explained != (len(r.Requests) == 0) {
				t.Errorf("identifier %d: requests %v, detail %q", i, r.Requests, r.Detail)
			}
		}
		if !slices.Equal(results[0].Requests, results[1].Requests) || results[4].Requests[0] != before.ID {
			t.Errorf("the requests are %v", results)
		}
		if b.Requested != 7 || b.Matched != 5 || b.Queued() != 2 || b.In[erasure.Pending] != 2 {
			t.Errorf("the batch counts %+v", b)
		}
		d.is(t, erasure.Pending, results[0].Requests[0], results[6].Requests[0])
		d.logged(t, results[6].Requests[0], erasure.RequestCreated)
		if r, err := d.Request(t.Context(), results[0].Requests[0]); err != nil || r.Batch == nil || *r.Batch != b.ID {
			t.Errorf("the request is of the batch %v, %v", r.Batch, err)
		}
	},
	"a batch that takes every match asks for all whom an identifier leads to": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "shared@example.com")
		Identify(t, d.DB, "shop", "user_id", "u2", "email", "shared@example.com")
		b, results := d.batch(t, erasure.NewBatch{Asked: Identifiers("email", "shared@example.com", "email", "nobody@example.com"), EveryMatch: true})
		if len(results[0].Requests) != 2 || results[0].Outcome != erasure.Queued || results[1].Outcome != erasure.NotFound {
			t.Errorf("the results are %+v", results)
		}
		if b.Requested != 2 || b.Matched != 1 || b.Queued() != 2 {
			t.Errorf("the batch counts %+v", b)
		}
	},
	"a batch follows its requests to their end": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		Identify(t, d.DB, "shop", "user_id", "u2")
		b, results := d.batch(t, erasure.NewBatch{Asked: Identifiers("user_id", "u1", "user_id", "u2")})
		must(t, d.cancel(t, results[0].Requests[0]))
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		after, err := d.Batch(t.Context(), b.ID)
		must(t, err)
		if after.Queued() != 2 || after.In[erasure.Cancelled] != 1 || after.In[erasure.Completed] != 1 || !after.UpdatedAt.After(b.UpdatedAt) {
			t.Errorf("the batch counts %+v", after)
		}
	},
	"a batch may wait for whom nothing is known of": func(t *testing.T, d trial) {
		b, results := d.batch(t, erasure.NewBatch{Asked: Identifiers("user_id", "later", "user_id", "later"), Unknown: true})
		if b.Matched != 0 || b.Queued() != 1 || results[0].Outcome != erasure.Queued || results[1].Outcome != erasure.AlreadyRequested {
			t.Errorf("the batch counts %+v, the results are %+v", b, results)
		}
	},
	"one identifier's matches make a batch where they are several": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "shared@example.com")
		Identify(t, d.DB, "shop", "user_id", "u2", "email", "shared@example.com")
		Identify(t, d.DB, "shop", "user_id", "u3")
		alone, none, err := d.RequestMatches(t.Context(), erasure.NewRequest{Asked: Identifiers("user_id", "u3")[0], Origin: erasure.API, Actor: erasure.System})
		if err != nil || len(alone) != 1 || none != nil || alone[0].Batch != nil {
			t.Errorf("one match gives %+v, %v, %v", alone, none, err)
		}
		ask := erasure.NewRequest{Asked: Identifiers("email", "shared@example.com")[0], Origin: erasure.API, Actor: erasure.System}
		both, b, err := d.RequestMatches(t.Context(), ask)
		if err != nil || len(both) != 2 || b == nil || both[0].Batch == nil || *both[0].Batch != *b {
			t.Fatalf("two matches give %+v, %v, %v", both, b, err)
		}
		_, _, err = d.RequestMatches(t.Context(), ask)
		WantCode(t, err, erasure.CodeConflict)
		_, _, err = d.RequestMatches(t.Context(), erasure.NewRequest{Asked: Identifiers("user_id", "nobody")[0], Origin: erasure.API, Actor: erasure.System})
		WantCode(t, err, erasure.CodeNotFound)
	},
	"a batch of a right that has ended queues nothing": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		_, _, err := d.RequestBatch(t.Context(), erasure.NewBatch{Asked: Identifiers("user_id", "u1"), Origin: erasure.API,
			Actor: erasure.Actor{Kind: erasure.ByKey}})
		WantCode(t, err, erasure.CodeUnauthorized)
		if rs, _, err := d.Requests(t.Context(), erasure.RequestFilter{}); err != nil || len(rs) != 0 {
			t.Errorf("there are %d requests, %v", len(rs), err)
		}
	},
	"a batch is cancelled as a whole inside its window": func(t *testing.T, d trial) {
		var asked []erasure.Identifier
		for i := range 1_200 { // more than one commit's
			Identify(t, d.DB, "shop", "user_id", PersonID(i))
			asked = append(asked, Identifiers("user_id", PersonID(i))...)
		}
		b, results := d.batch(t, erasure.NewBatch{Asked: asked})
		must(t, d.cancel(t, results[7].Requests[0]))
		after, err := d.CancelBatch(t.Context(), b.ID, erasure.System, erasure.API)
		if err != nil || after.In[erasure.Cancelled] != 1_200 {
			t.Errorf("the batch counts %+v, %v", after, err)
		}
		d.logged(t, results[1_199].Requests[0], erasure.RequestCreated, erasure.RequestCancelled)
		_, err = d.CancelBatch(t.Context(), b.ID, erasure.System, erasure.API)
		WantCode(t, err, erasure.CodeNotPending)
	},
	"after its window a batch is not cancelled": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		b, results := d.batch(t, erasure.NewBatch{Asked: Identifiers("user_id", "u1")})
		d.clock.Advance(window)
		_, err := d.CancelBatch(t.Context(), b.ID, erasure.System, erasure.API)
		WantCode(t, err, erasure.CodeTooLate)
		d.is(t, erasure.Pending, results[0].Requests[0])
	},
	"a batch's cancel sent again is answered as the first": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		b, results := d.batch(t, erasure.NewBatch{Asked: Identifiers("user_id", "u1")})
		second, again := d.batch(t, erasure.NewBatch{Asked: Identifiers("user_id", "u2"), Unknown: true})
		once := store.Once{Key: "c-1", Call: []byte(b.ID.String())}
		for range 2 {
			got, err := d.CancelBatchOnce(t.Context(), b.ID, erasure.System, erasure.API, once)
			if err != nil || got.In[erasure.Cancelled] != 1 {
				t.Errorf("the batch counts %+v, %v", got, err)
			}
		}
		d.logged(t, results[0].Requests[0], erasure.RequestCreated, erasure.RequestCancelled)
		_, err := d.CancelBatchOnce(t.Context(), second.ID, erasure.System, erasure.API, store.Once{Key: "c-1", Call: []byte("another")})
		WantCode(t, err, erasure.CodeKeyReused)
		d.is(t, erasure.Pending, again[0].Requests[0])
		_, err = d.CancelBatchOnce(t.Context(), b.ID, erasure.System, erasure.API, store.Once{Key: "c-2", Call: []byte("new")})
		WantCode(t, err, erasure.CodeNotPending)
	},
	"a batch that queued nothing is kept where an answer names it": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		asked := Identifiers("user_id", "u1", "user_id", "nobody")
		first, _ := d.batch(t, erasure.NewBatch{Asked: asked, Unnamed: true})
		d.clock.Advance(time.Second)
		named, _ := d.batch(t, erasure.NewBatch{Asked: asked})
		unnamed, results := d.batch(t, erasure.NewBatch{Asked: asked, Unnamed: true})
		if unnamed.ID != (erasure.BatchID{}) || results[0].Outcome != erasure.AlreadyRequested || results[1].Outcome != erasure.NotFound {
			t.Errorf("a batch of nothing new is %+v, its results are %+v", unnamed, results)
		}
		page, _, err := d.Submissions(t.Context(), "", 10)
		if err != nil || len(page) != 2 || page[0].Batch.ID != named.ID || page[1].Batch.ID != first.ID {
			t.Errorf("the batches are %+v, %v", page, err)
		}
	},
	"there is no batch that was not made": func(t *testing.T, d trial) {
		_, err := d.Batch(t.Context(), erasure.NewBatchID(Start))
		WantCode(t, err, erasure.CodeNotFound)
	},
}

func (d trial) batch(t testing.TB, n erasure.NewBatch) (erasure.Batch, []erasure.BatchResult) {
	t.Helper()
	n.Origin, n.Actor = erasure.API, erasure.System
	b, results, err := d.RequestBatch(t.Context(), n)
	if err != nil {
		t.Fatalf("requesting a batch: %v", err)
	}
	return b, results
}

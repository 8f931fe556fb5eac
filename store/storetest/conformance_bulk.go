package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// bulks is lists of people to be erased.
var bulks = behaviours{
	"a checked list asks for those that the check found, once it is confirmed": func(t *testing.T, d trial) {
		d.people(t)
		open := Requested(t, d.DB, "user_id", "open")
		id := d.checked(t, d.list(t))
		b := d.bulk(t, id, erasure.Checked)
		want := erasure.BulkFound{Matched: 2, AlreadyRequested: 1, Shared: 1, NotFound: 1, Duplicates: 2, Refused: 1}
		want.Refusals = b.Found.Refusals
		if !sameFound(b.Found, want) || len(want.Refusals) != 1 || want.Refusals[0].Line != 8 {
			t.Errorf("the check found %+v, not %+v", b.Found, want)
		}
		if b.Batch != nil || b.Lines != 8 || b.Expires.IsZero() {
			t.Errorf("the list is %+v", b)
		}
		WantCode(t, d.ConfirmBulk(t.Context(), id, erasure.Terminal, 3), erasure.CodeConflict)
		must(t, d.ConfirmBulk(t.Context(), id, erasure.Terminal, 2))
		WantCode(t, d.ConfirmBulk(t.Context(), id, erasure.Terminal, 2), erasure.CodeConflict)
		WantCode(t, d.DiscardBulk(t.Context(), id, erasure.Terminal), erasure.CodeConflict)
		must(t, d.QueueBulk(t.Context(), id))
		results := d.results(t, id)
		outcomes(t, results, erasure.Queued, erasure.AlreadyRequested, erasure.Queued, erasure.Shared, erasure.NotFound,
			erasure.AlreadyRequested, erasure.AlreadyRequested, erasure.Refused)
		if *results[0].Request != *results[1].Request || *results[5].Request != open.ID || results[3].Matches != 2 {
			t.Errorf("the results are %+v", results)
		}
		if b := d.bulk(t, id, erasure.Done); b.Batch.Requested != 8 || b.Batch.Matched != 6 || b.Batch.In[erasure.Pending] != 2 || b.Done != 8 {
			t.Errorf("the list is %+v, its batch %+v", b, b.Batch)
		}
	},
	"a list that a script sends is queued without a check": func(t *testing.T, d trial) {
		d.people(t)
		s := d.list(t)
		id, repeated, err := s.Confirm(t.Context(), store.Once{})
		must(t, err)
		must(t, d.QueueBulk(t.Context(), id))
		outcomes(t, d.results(t, id), erasure.Queued, erasure.AlreadyRequested, erasure.Queued, erasure.Shared, erasure.NotFound,
			erasure.Queued, erasure.AlreadyRequested, erasure.Refused)
		must(t, s.Discard(t.Context()))
		if b := d.bulk(t, id, erasure.Done); repeated || b.Batch.In[erasure.Pending] != 3 {
			t.Errorf("the batch is %+v", b.Batch)
		}
	},
	"a list that suppresses adds that to what was asked for before": func(t *testing.T, d trial) {
		for _, checked := range []bool{false, true} {
			user := map[bool]string{false: "u1", true: "u2"}[checked]
			Identify(t, d.DB, "shop", "user_id", user)
			open := Requested(t, d.DB, "user_id", user)
			s, err := d.OpenSpool(t.Context(), erasure.NewBulk{Origin: erasure.API, Actor: erasure.Terminal, Suppress: true})
			must(t, err)
			must(t, s.Add(t.Context(), erasure.Line{N: 1, Asked: Identifiers("user_id", user)[0]}))
			var id erasure.BatchID
			if checked {
				id = d.checked(t, s)
				must(t, d.ConfirmBulk(t.Context(), id, erasure.Terminal, 0))
			} else {
				id, _, err = s.Confirm(t.Context(), store.Once{})
				must(t, err)
			}
			must(t, d.QueueBulk(t.Context(), id))
			outcomes(t, d.results(t, id), erasure.AlreadyRequested)
			if r, err := d.Request(t.Context(), open.ID); err != nil || !r.Suppress {
				t.Errorf("checked %v: the request suppresses %v, %v", checked, r.Suppress, err)
			}
		}
	},
	"a list sent again is the first one": func(t *testing.T, d trial) {
		d.people(t)
		once := store.Once{Key: "k", Call: []byte("list")}
		first, repeated, err := d.list(t).Confirm(t.Context(), once)
		must(t, err)
		second, again, err := d.list(t).Confirm(t.Context(), once)
		must(t, err)
		if repeated || !again || first != second {
			t.Errorf("%s, %v, then %s, %v", first, repeated, second, again)
		}
		_, _, err = d.list(t).Confirm(t.Context(), store.Once{Key: "k", Call: []byte("another")})
		WantCode(t, err, erasure.CodeKeyReused)
	},
	"what a line says comes before what its list says": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		Identify(t, d.DB, "shop", "user_id", "u2")
		s, err := d.OpenSpool(t.Context(), erasure.NewBulk{Origin: erasure.API, Actor: erasure.Terminal, Reason: "list", Reference: "LIST"})
		must(t, err)
		must(t, s.Add(t.Context(), erasure.Line{N: 1, Asked: Identifiers("user_id", "u1")[0], Reason: "line", Reference: "LINE", Suppress: true}))
		must(t, s.Add(t.Context(), erasure.Line{N: 2, Asked: Identifiers("user_id", "u2")[0]}))
		id, _, err := s.Confirm(t.Context(), store.Once{})
		must(t, err)
		must(t, d.QueueBulk(t.Context(), id))
		for i, want := range []erasure.Request{{Reason: "line", Reference: "LINE", Suppress: true}, {Reason: "list", Reference: "LIST"}} {
			r, err := d.RequestDetails(t.Context(), erasure.Terminal, *d.results(t, id)[i].Request)
			must(t, err)
			if r.Reason != want.Reason || r.Reference != want.Reference || r.Suppress != want.Suppress || *r.Batch != id {
				t.Errorf("line %d became %+v", i+1, r)
			}
		}
	},
	"a list that is not confirmed within a day is gone": func(t *testing.T, d trial) {
		id := d.checked(t, d.list(t))
		d.clock.Advance(erasure.BulkLife)
		d.goneBulk(t, id)
		WantCode(t, d.ConfirmBulk(t.Context(), id, erasure.Terminal, 0), erasure.CodeNotFound)
		busy, err := d.DestroySpools(t.Context())
		if must(t, err); busy {
			t.Error("an open reader was waited for")
		}
	},
	"the lists that the console was sent last are listed": func(t *testing.T, d trial) {
		given := d.checked(t, d.list(t))
		must(t, d.DiscardBulk(t.Context(), given, erasure.Terminal))
		first := d.checked(t, d.list(t))
		must(t, d.ConfirmBulk(t.Context(), first, erasure.Terminal, 0))
		must(t, d.QueueBulk(t.Context(), first))
		d.list(t) // on its way
		d.clock.Advance(time.Second)
		second, err := d.list(t).Check(t.Context())
		must(t, err)
		script, err := d.OpenSpool(t.Context(), erasure.NewBulk{Origin: erasure.API, Actor: erasure.Terminal})
		must(t, err)
		_, _, err = script.Confirm(t.Context(), store.Once{})
		must(t, err)
		newest, err := d.NewestBulks(t.Context())
		must(t, err)
		if len(newest) != 2 || newest[0].ID != second || newest[0].Stage != erasure.Checking || newest[1].ID != first || newest[1].Stage != erasure.Done {
			t.Errorf("the newest are %+v", newest)
		}
	},
	"a list that is given up is gone": func(t *testing.T, d trial) {
		s := d.list(t)
		must(t, s.Discard(t.Context()))
		_, err := s.Check(t.Context())
		WantCode(t, err, erasure.CodeNotFound)
		id := d.checked(t, d.list(t))
		must(t, d.DiscardBulk(t.Context(), id, erasure.Terminal))
		d.goneBulk(t, id)
		if left, err := d.UnfinishedBulks(t.Context()); err != nil || len(left) != 0 {
			t.Errorf("there are %v, %v", left, err)
		}
	},
	"whom the check did not find is not asked for": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1", "email", "moved@example.com")
		open := Requested(t, d.DB, "user_id", "u1")
		id := d.checked(t, d.listOf(t, "user_id", "later", "user_id", "u1"))
		Identify(t, d.DB, "shop", "user_id", "later")
		must(t, d.cancel(t, open.ID))
		must(t, d.ConfirmBulk(t.Context(), id, erasure.Terminal, 0))
		must(t, d.QueueBulk(t.Context(), id))
		outcomes(t, d.results(t, id), erasure.Refused, erasure.Refused)
		if b := d.bulk(t, id, erasure.Done); b.Batch.Queued() != 0 {
			t.Errorf("%d were asked for", b.Batch.Queued())
		}
	},
	"a cancelled list asks for nobody any more": func(t *testing.T, d trial) {
		d.people(t)
		id, _, err := d.list(t).Confirm(t.Context(), store.Once{})
		must(t, err)
		_, err = d.CancelBatch(t.Context(), id, erasure.Terminal, erasure.API)
		must(t, err)
		must(t, d.QueueBulk(t.Context(), id))
		if b := d.bulk(t, id, erasure.Done); b.Batch.Queued() != 0 || b.Done != 0 || len(d.results(t, id)) != 0 {
			t.Errorf("the list is %+v", b)
		}
	},
	"several may queue one list": func(t *testing.T, d trial) {
		id, _, err := d.everybodyTwice(t).Confirm(t.Context(), store.Once{})
		must(t, err)
		done := make(chan error)
		for range 3 {
			go func() { done <- d.QueueBulk(t.Context(), id) }()
		}
		for range 3 {
			must(t, <-done)
		}
		d.twice(t, id)
	},
	"a duplicate names the request of the line before, however far that is": func(t *testing.T, d trial) {
		id := d.checked(t, d.everybodyTwice(t))
		must(t, d.ConfirmBulk(t.Context(), id, erasure.Terminal, severalChunks))
		must(t, d.QueueBulk(t.Context(), id))
		d.twice(t, id)
	},
}

// severalChunks is more lines than are queued in one commit.
const severalChunks = 4_100

func (d trial) everybodyTwice(t *testing.T) *store.Spool {
	People(t, d.DB, severalChunks)
	s, err := d.OpenSpool(t.Context(), erasure.NewBulk{Origin: erasure.API, Actor: erasure.Terminal})
	must(t, err)
	for i := range 2 * severalChunks {
		must(t, s.Add(t.Context(), erasure.Line{N: i + 1, Asked: Identifiers("email", PersonEmail(i%severalChunks))[0]}))
	}
	return s
}

func (d trial) twice(t *testing.T, id erasure.BatchID) {
	if b := d.bulk(t, id, erasure.Done); b.Batch.Queued() != severalChunks || b.Batch.Matched != 2*severalChunks || b.Done != 2*severalChunks {
		t.Errorf("the list is %+v, its batch %+v", b, b.Batch)
	}
	results := d.results(t, id)
	for i, r := range results {
		want := erasure.Queued
		if i >= severalChunks {
			want = erasure.AlreadyRequested
		}
		if r.Outcome != want || r.Line != i+1 || *r.Request != *results[i%severalChunks].Request {
			t.Fatalf("result %d is %+v, not %s", i, r, want)
		}
	}
}

func (d trial) people(t *testing.T) {
	Identify(t, d.DB, "shop", "user_id", "u1", "email", "a@example.com")
	Identify(t, d.DB, "shop", "user_id", "u2", "email", "shared@example.com")
	Identify(t, d.DB, "shop", "user_id", "u3", "email", "shared@example.com")
	Identify(t, d.DB, "shop", "user_id", "open")
}

// list asks for people in each of the ways that a line can go.
func (d trial) list(t *testing.T) *store.Spool {
	return d.listOf(t, "user_id", "u1", "email", "a@example.com", "user_id", "u2", "email", "shared@example.com",
		"user_id", "nobody", "user_id", "open", "email", "A@example.com", "user_id", " ")
}

func (d trial) listOf(t *testing.T, pairs ...string) *store.Spool {
	s, err := d.OpenSpool(t.Context(), erasure.NewBulk{Origin: erasure.Console, Actor: erasure.Terminal})
	must(t, err)
	for i, asked := range Identifiers(pairs...) {
		must(t, s.Add(t.Context(), erasure.Line{N: i + 1, Asked: asked}))
	}
	return s
}

func (d trial) checked(t *testing.T, s *store.Spool) erasure.BatchID {
	id, err := s.Check(t.Context())
	must(t, err)
	if left, err := d.UnfinishedBulks(t.Context()); err != nil || len(left) != 1 || left[0].ID != id {
		t.Fatalf("there are %v, %v", left, err)
	}
	must(t, d.CheckBulk(t.Context(), id))
	return id
}

func (d trial) bulk(t *testing.T, id erasure.BatchID, stage erasure.Stage) erasure.Bulk {
	t.Helper()
	b, err := d.Bulk(t.Context(), id)
	if must(t, err); b.Stage != stage {
		t.Fatalf("the list is %s, not %s", b.Stage, stage)
	}
	return b
}

func (d trial) goneBulk(t *testing.T, id erasure.BatchID) {
	t.Helper()
	_, err := d.Bulk(t.Context(), id)
	WantCode(t, err, erasure.CodeNotFound)
}

func (d trial) results(t *testing.T, id erasure.BatchID) (results []erasure.LineResult) {
	t.Helper()
	must(t, d.BulkResults(t.Context(), id, func(r erasure.LineResult) error {
		results = append(results, r)
		return nil
	}))
	return results
}

func outcomes(t *testing.T, results []erasure.LineResult, want ...erasure.BatchOutcome) {
	t.Helper()
	var got []erasure.BatchOutcome
	for _, r := range results {
		got = append(got, r.Outcome)
		if explained := r.Detail != ""; explained != (r.Request == nil) {
			t.Errorf("line %d: request %v, detail %q", r.Line, r.Request, r.Detail)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the lines became %v, not %v", got, want)
	}
}

func sameFound(a, b erasure.BulkFound) bool {
	a.Refusals, b.Refusals = nil, nil
	return a.Matched == b.Matched && a.AlreadyRequested == b.AlreadyRequested && a.Shared == b.Shared && a.NotFound == b.NotFound &&
		a.Duplicates == b.Duplicates && a.Refused == b.Refused
}

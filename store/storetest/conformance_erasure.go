package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// erasures is a request's life from its claim to its end.
var erasures = behaviours{
	"an erasure goes step by step to its end, and each step may be repeated": func(t *testing.T, d trial) {
		r := d.claimedWith(t, 20)
		destroyed := 0
		for range 2 {
			n, busy, err := d.DestroyKeys(t.Context(), 10)
			if err != nil || busy {
				t.Fatalf("destroying keys: busy %v, %v", busy, err)
			}
			destroyed += n
		}
		if destroyed != 1 {
			t.Errorf("the keys of %d requests are said to be destroyed", destroyed)
		}
		commits := 1
		for ; ; commits++ {
			completed, more, err := d.DeleteRows(t.Context(), 5)
			must(t, err)
			if completed == 1 {
				break
			}
			d.is(t, erasure.InProgress, r.ID)
			if !more {
				t.Fatal("no row is left, and the request is not completed")
			}
		}
		if commits < 20/5 {
			t.Errorf("20 records went in %d commits of 5 rows", commits)
		}
		if completed, more, err := d.DeleteRows(t.Context(), 5); completed != 0 || more || err != nil {
			t.Errorf("after the end %d requests are completed, more %v, %v", completed, more, err)
		}
		got, err := d.Request(t.Context(), r.ID)
		if err != nil || got.State != erasure.Completed || got.Records != 20 || got.Identifiers != 2 {
			t.Errorf("what was erased is %+v, %v", got, err)
		}
		d.logged(t, r.ID, erasure.RequestCreated, erasure.RequestClaimed, erasure.KeysDestroyed, erasure.RequestCompleted)
		WantCode(t, d.cancel(t, r.ID), erasure.CodeTooLate)
	},
	"a claimed profile is absent, and what arrives begins anew": func(t *testing.T, d trial) {
		r := d.claimedWith(t, 1)
		email := Identifiers("email", "u1@example.com")[0]
		d.found(t, 0, email.Key, email.Value)
		again, created, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: email, Origin: erasure.API})
		if err != nil || created || again.ID != r.ID {
			t.Errorf("a request for it is %s, created %v, %v", again.ID, created, err)
		}
		_, err = d.CancelByIdentifier(t.Context(), email, erasure.System, erasure.API)
		WantCode(t, err, erasure.CodeTooLate)
		Identify(t, d.DB, "shop", "user_id", "u1")
		fresh := One(t, d.DB, "user_id", "u1")
		if fresh.EffaceID == *r.EffaceID || fresh.Records != 0 {
			t.Errorf("what arrived went to the one being erased: %+v", fresh)
		}
		EraseAll(t, d.DB)
		d.is(t, erasure.Completed, r.ID)
		if p := One(t, d.DB, "user_id", "u1"); p.EffaceID != fresh.EffaceID {
			t.Errorf("the new profile is %v", p.EffaceID)
		}
	},
	"whom an entry was about is forgotten with them": func(t *testing.T, d trial) {
		d.tellRecords(t, "u1", 1)
		r := Requested(t, d.DB, "user_id", "u1")
		_, err := d.Profile(t.Context(), erasure.System, *r.EffaceID)
		must(t, err)
		if n := d.subjects(t); n != 2 { // the request and the look
			t.Errorf("%d entries say whom they were about, not 2", n)
		}
		d.clock.Advance(window)
		EraseAll(t, d.DB)
		if n := d.subjects(t); n != 0 {
			t.Errorf("after the erasure %d entries say whom they were about", n)
		}
		if details, err := d.RequestDetails(t.Context(), erasure.System, r.ID); err != nil || details.Reason != "" || details.Asked.Value != "" {
			t.Errorf("the request still tells %+v, %v", details, err)
		}
	},
	"a request that fails is tried again, later each time": func(t *testing.T, d trial) {
		r := d.claimedWith(t, 1)
		noted, err := d.NoteFailure(t.Context(), store.Destroying, "It failed.")
		if err != nil || !noted {
			t.Fatalf("a failed try is noted: %v, %v", noted, err)
		}
		if n, _, err := d.DestroyKeys(t.Context(), 10); err != nil || n != 0 {
			t.Errorf("it is tried again at once: %d, %v", n, err)
		}
		if got, err := d.Request(t.Context(), r.ID); err != nil || got.State != erasure.InProgress || got.Attempts != 1 || got.LastError != "It failed." {
			t.Errorf("after one failed try it is %+v, %v", got, err)
		}
		if w, err := d.Work(t.Context()); err != nil || w.Next <= 0 || w.Next > time.Second {
			t.Errorf("the next try is in %s, %v", w.Next, err)
		}
		d.clock.Advance(time.Second)
		EraseAll(t, d.DB)
		d.is(t, erasure.Completed, r.ID)
	},
	"a person with few rows does not wait for one with many": func(t *testing.T, d trial) {
		d.tellRecords(t, "many", 300)
		many := Requested(t, d.DB, "user_id", "many").ID
		d.tellRecords(t, "few", 1)
		few := Requested(t, d.DB, "user_id", "few").ID
		d.clock.Advance(window)
		_, err := d.ClaimDue(t.Context(), 10)
		must(t, err)
		_, _, err = d.DestroyKeys(t.Context(), 10)
		must(t, err)
		_, more, err := d.DeleteRows(t.Context(), 100)
		must(t, err)
		if !more {
			t.Error("hundreds of rows went in a commit of 100")
		}
		d.is(t, erasure.Completed, few)
		d.is(t, erasure.InProgress, many)
		EraseAll(t, d.DB)
		d.is(t, erasure.Completed, many)
	},
}

// tellRecords tells of a person with records from two sources.
func (d trial) tellRecords(t *testing.T, user string, records int) {
	t.Helper()
	for i := range records {
		Tell(t, d.DB, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: []string{"shop", "crm"}[i%2],
			Identifiers: Identifiers("user_id", user, "email", user+"@example.com"),
			Record:      fmt.Appendf(nil, `{"event":"seen","n":%d}`, i), MessageID: fmt.Sprint(user, i)})
	}
}

// claimedWith claims a request for a person with so many records.
func (d trial) claimedWith(t *testing.T, records int) erasure.Request {
	t.Helper()
	d.tellRecords(t, "u1", records)
	r := Requested(t, d.DB, "user_id", "u1")
	d.clock.Advance(window)
	if n, err := d.ClaimDue(t.Context(), 10); err != nil || n != 1 {
		t.Fatalf("%d requests are claimed, %v", n, err)
	}
	return r
}

// subjects counts the log entries that say whom they were about.
func (d trial) subjects(t *testing.T) (n int) {
	t.Helper()
	all, _, err := d.Activity(t.Context(), "", 100)
	must(t, err)
	for _, a := range all {
		if a.EffaceID != nil {
			n++
		}
	}
	return n
}

package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
)

// submissions are batches, and requests that are in none, listed together.
var submissions = behaviours{
	"submissions are listed newest first, and a batch's requests stand in it": func(t *testing.T, d trial) {
		var made []string
		for _, users := range [][]string{{"u1"}, {"u2", "u3"}, {"u4"}, {"u5", "u6", "u7"}, {"u8"}} {
			for _, user := range users {
				Identify(t, d.DB, "shop", "user_id", user)
			}
			if len(users) == 1 {
				made = append(made, Requested(t, d.DB, "user_id", users[0]).ID.String())
			} else {
				b, _, err := d.RequestBatch(t.Context(), batchOf(users...))
				must(t, err)
				made = append(made, b.ID.String())
			}
			d.clock.Advance(time.Second)
		}
		slices.Reverse(made)
		for limit := 1; limit <= len(made)+1; limit++ {
			var listed []string
			for cursor, more := "", true; more; more = cursor != "" {
				page, next, err := d.Submissions(t.Context(), cursor, limit)
				must(t, err)
				if len(page) > limit || next != "" && next != page[limit-1].ID() {
					t.Fatalf("a page of %d has %d, and then %q", limit, len(page), next)
				}
				for _, s := range page {
					listed = append(listed, s.ID())
				}
				cursor = next
			}
			if !slices.Equal(listed, made) {
				t.Errorf("listed by %d are %v, not %v", limit, listed, made)
			}
		}
	},
	"a list of submissions goes on below its cursor alone": func(t *testing.T, d trial) {
		for _, cursor := range []string{"x", "er_", "eb_00000000000000000000000000x", "6f9619ff-8b86-4011-b42d-00cf4fc964ff"} {
			_, _, err := d.Submissions(t.Context(), cursor, 1)
			WantCode(t, err, erasure.CodeInvalid)
		}
		if page, next, err := d.Submissions(t.Context(), "", 1); err != nil || len(page) > 0 || next != "" {
			t.Errorf("a new store lists %v, and then %q, %v", page, next, err)
		}
	},
	"a submission is read by its id, a batch's request as well": func(t *testing.T, d trial) {
		Identify(t, d.DB, "shop", "user_id", "u1")
		b, results, err := d.RequestBatch(t.Context(), batchOf("u1", "nobody"))
		must(t, err)
		if s, err := d.Submission(t.Context(), b.ID.String()); err != nil || s.Batch == nil || s.Batch.Requested != 2 || s.Batch.In[erasure.Pending] != 1 {
			t.Errorf("the batch reads %+v, %v", s.Batch, err)
		}
		r := results[0].Requests[0]
		if s, err := d.Submission(t.Context(), r.String()); err != nil || s.Request == nil || s.Request.ID != r || s.ID() != r.String() {
			t.Errorf("its request reads %+v, %v", s.Request, err)
		}
		for _, id := range []string{"", "x", r.String()[3:], "eb_" + r.String()[3:], "er_" + b.ID.String()[3:]} {
			_, err := d.Submission(t.Context(), id)
			WantCode(t, err, erasure.CodeNotFound)
		}
	},
	"requests are counted by their states": func(t *testing.T, d trial) {
		for _, user := range []string{"u1", "u2", "u3", "u4"} {
			Identify(t, d.DB, "shop", "user_id", user)
		}
		counted := func(what string, want map[erasure.State]int, gone int) {
			t.Helper()
			in, destroyed, err := d.RequestCounts(t.Context())
			must(t, err)
			for _, s := range erasure.States {
				if in[s] != want[s] || destroyed != gone {
					t.Errorf("%s: %d are %s, and of %d the keys are gone; want %v and %d", what, in[s], s, destroyed, want, gone)
				}
			}
		}
		counted("at first", nil, 0)
		must(t, d.cancel(t, Requested(t, d.DB, "user_id", "u1").ID))
		_, _, err := d.RequestBatch(t.Context(), batchOf("u2", "u3"))
		must(t, err)
		d.clock.Advance(window)
		Requested(t, d.DB, "user_id", "u4")
		_, err = d.ClaimDue(t.Context(), 10)
		must(t, err)
		counted("claimed", map[erasure.State]int{erasure.Pending: 1, erasure.InProgress: 2, erasure.Cancelled: 1}, 0)
		_, _, err = d.DestroyKeys(t.Context(), 10)
		must(t, err)
		counted("destroyed", map[erasure.State]int{erasure.Pending: 1, erasure.InProgress: 2, erasure.Cancelled: 1}, 2)
		EraseAll(t, d.DB)
		counted("erased", map[erasure.State]int{erasure.Pending: 1, erasure.Completed: 2, erasure.Cancelled: 1}, 0)
	},
}

func batchOf(users ...string) erasure.NewBatch {
	n := erasure.NewBatch{Origin: erasure.API, Actor: erasure.System}
	for _, user := range users {
		n.Asked = append(n.Asked, Identifiers("user_id", user)...)
	}
	return n
}

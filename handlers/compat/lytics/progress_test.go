package lytics

import (
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
)

func TestABatchStandsWhereItsRequestsDo(t *testing.T) {
	type in = map[erasure.State]int
	for _, c := range []struct {
		requested, matched int
		in                 in
		state, status      string
		reason             string
		profiles           int
	}{
		{2, 2, in{erasure.Pending: 2}, "initial", "pending", "", 2},
		{2, 2, in{erasure.Pending: 1, erasure.Cancelled: 1}, "initial", "pending", "", 2},
		{2, 2, in{erasure.Pending: 1, erasure.InProgress: 1}, "primary", "in_progress", "", 2},
		{2, 2, in{erasure.Pending: 1, erasure.Completed: 1}, "primary", "in_progress", "", 2},
		{3, 3, in{erasure.InProgress: 1, erasure.Completed: 1, erasure.Cancelled: 1}, "primary", "in_progress", "", 3},
		{2, 2, in{erasure.Failed: 1, erasure.Completed: 1}, "archive", "failed", "Failed so far, and tried again: 1 of 2 requests.", 2},
		{2, 2, in{erasure.Cancelled: 2}, "failed", "failed", "Cancelled: 2 of 2 requests.", 2},
		{2, 2, in{erasure.Cancelled: 1, erasure.Completed: 1}, "failed", "failed", "Cancelled: 1 of 2 requests.", 2},
		{2, 2, in{erasure.Completed: 2}, "done", "completed", "", 2},
		{3, 2, in{erasure.Completed: 2}, "done", "completed", "", 3},
		{3, 2, in{erasure.Completed: 5}, "done", "completed", "", 6},
		{3, 0, in{}, "done", "completed", "", 3},
		{3, 1, in{}, "done", "completed", "Everyone whom it leads to was asked for before it.", 3},
	} {
		p := progressOf(erasure.Submission{Batch: &erasure.Batch{Requested: c.requested, Matched: c.matched, In: c.in}})
		if p.state != c.state || p.status != c.status || p.reason != c.reason || p.requested != c.profiles || p.deleted != c.in[erasure.Completed] {
			t.Errorf("%d of %d with %v: %+v", c.matched, c.requested, c.in, p)
		}
	}
	waiting := erasure.Batch{Origin: erasure.CleverTap, Requested: 3, In: in{erasure.Pending: 3}}
	if p := progressOf(erasure.Submission{Batch: &waiting}); p.requested != 3 {
		t.Errorf("three ids that nothing is known of are %d", p.requested)
	}
}

func TestARequestThatFailsIsNotDoneAndSaysWhy(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	r := erasure.Request{State: erasure.Failed, RequestedAt: at, StartedAt: at.Add(time.Hour), LastError: "The disk is full."}
	p := progressOf(erasure.Submission{Request: &r})
	if p.state != "archive" || p.status != "failed" || p.reason != "The disk is full." || p.deleted != 0 || !p.updated.Equal(r.StartedAt) {
		t.Errorf("it stands at %+v", p)
	}
}

func TestARequestThatFoundNobodyDeletedNobody(t *testing.T) {
	r := erasure.Request{State: erasure.Completed}
	if p := progressOf(erasure.Submission{Request: &r}); p.state != "done" || p.status != "completed" || p.requested != 1 || p.deleted != 0 {
		t.Errorf("it stands at %+v", p)
	}
}

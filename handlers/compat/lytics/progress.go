package lytics

import (
	"fmt"
	"time"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// The vendor's words: state is deletestatus', status is delete/status'.
const (
	stateInitial = "initial"
	statePrimary = "primary" // its keys are being destroyed
	stateArchive = "archive" // no copy can be read any more, the rows are being deleted; or it is tried again
	stateDone    = "done"
	stateFailed  = "failed" // it ended without an erasure

	statusPending    = "pending"
	statusInProgress = "in_progress"
	statusCompleted  = "completed"
	statusFailed     = "failed"
)

// progress is where a submission stands.
type progress struct {
	state, status, reason string
	requested, deleted    int // profiles
	at, updated           time.Time
}

func progressOf(s erasure.Submission) progress {
	if s.Batch != nil {
		return batchProgress(*s.Batch)
	}
	return requestProgress(*s.Request)
}

func requestProgress(r erasure.Request) progress {
	p := progress{requested: 1, at: r.RequestedAt, updated: r.RequestedAt}
	for _, t := range []time.Time{r.StartedAt, r.KeysDestroyedAt, r.FinishedAt} {
		if t.After(p.updated) {
			p.updated = t
		}
	}
	switch r.State {
	case erasure.Pending:
		p.state, p.status = stateInitial, statusPending
	case erasure.InProgress:
		p.state, p.status = statePrimary, statusInProgress
		if !r.KeysDestroyedAt.IsZero() {
			p.state = stateArchive
		}
	case erasure.Failed:
		p.state, p.status, p.reason = stateArchive, statusFailed, r.LastError
	case erasure.Completed:
		p.state, p.status = stateDone, statusCompleted
		if r.EffaceID != nil { // else nobody was ever known for it
			p.deleted = 1
		}
	case erasure.Cancelled:
		p.state, p.status, p.reason = stateFailed, statusFailed, "The request was cancelled."
	}
	return p
}

// batchProgress sums a batch's requests up. What is cancelled counts once
// nothing is open any more: a batch of which some were not erased is not
// completed.
func batchProgress(b erasure.Batch) progress {
	all, cancelled, failed := b.Queued(), b.In[erasure.Cancelled], b.In[erasure.Failed]
	p := progress{deleted: b.In[erasure.Completed] - b.Nobody, at: b.RequestedAt, updated: b.UpdatedAt}
	// A value that leads to several profiles asks for each of them; one that
	// leads nowhere counts as well. Through CleverTap's door that one waits, in a
	// request of its own, and no value leads to several.
	p.requested = b.Requested
	if b.Origin != erasure.CleverTap {
		p.requested += max(0, all-b.Matched)
	}
	switch {
	case failed > 0:
		p.state, p.status = stateArchive, statusFailed
		p.reason = fmt.Sprintf("Failed so far, and tried again: %d of %d requests.", failed, all)
	case b.In[erasure.InProgress] > 0, b.In[erasure.Pending] > 0 && b.In[erasure.Completed] > 0:
		p.state, p.status = statePrimary, statusInProgress
	case b.In[erasure.Pending] > 0:
		p.state, p.status = stateInitial, statusPending
	case cancelled > 0:
		p.state, p.status = stateFailed, statusFailed
		p.reason = fmt.Sprintf("Cancelled: %d of %d requests.", cancelled, all)
	default:
		p.state, p.status = stateDone, statusCompleted
		if all == 0 && b.Matched > 0 {
			p.reason = "Everyone whom it leads to was asked for before it."
		}
	}
	return p
}

func deletionOf(s erasure.Submission) deletion {
	p := progressOf(s)
	return deletion{RequestID: s.ID(), State: p.state, Completed: p.state == stateDone,
		Requested: wire.Time(p.at), Submitted: wire.Time(p.at), Reason: p.reason}
}

func statusOf(s erasure.Submission) status {
	p := progressOf(s)
	return status{RequestID: s.ID(), ProfilesRequested: p.requested, ProfilesDeleted: p.deleted, Status: p.status, Reason: p.reason,
		Submitted: wire.Time(p.at), Updated: wire.Time(p.updated)}
}

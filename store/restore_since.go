package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// sinceBackup is what the log tells of a request since the backup.
type sinceBackup struct {
	made                         *erasure.Entry // nil where it was before
	state                        erasure.State
	started, destroyed, finished time.Time
	counts                       *erasure.Counts
	lost                         []uuid.UUID // profiles it is for that a restore did not have
	// changed is set where whom it is for, or until when it could be cancelled,
	// became another than in the backup: the log does not say which.
	changed bool
	whole   bool // all that was asked stands in the backup
}

// take takes notice of an entry that came after the backup.
func (h *history) take(e erasure.Entry) {
	h.newest = e.Time
	switch e.Kind {
	case erasure.RoleChanged, erasure.OperatorDisabled, erasure.OperatorEnabled, erasure.PasswordChanged, erasure.LinkUsed, erasure.KeyRevoked:
		h.accounts = append(h.accounts, e)
	case erasure.ProfileMerged:
		h.merges = append(h.merges, e.Profiles)
	case erasure.StoreRestored:
		h.renewed = true
	case erasure.SuppressionAdded, erasure.SuppressionLifted:
		if e.Request != nil {
			h.wanted[*e.Request] = true
			h.lifted[*e.Request] = h.lifted[*e.Request] || e.Kind == erasure.SuppressionLifted
		}
	}
	h.takeErased(e)
	if e.Request == nil || e.To == "" && !changesWhom[e.Kind] {
		return
	}
	r := h.requests[*e.Request]
	if r == nil {
		r = &sinceBackup{}
		h.requests[*e.Request] = r
	}
	r.take(e, h.renewed)
}

// changesWhom are the entries that leave a request in its state.
var changesWhom = map[erasure.Kind]bool{erasure.ProfileLost: true, erasure.RequestAttached: true, erasure.RequestJoined: true}

func (r *sinceBackup) take(e erasure.Entry, renewed bool) {
	if changesWhom[e.Kind] {
		r.lost, r.changed = append(r.lost, e.Profiles...), true
		return
	}
	r.state = e.To
	if e.Counts != nil {
		r.counts = e.Counts
	}
	switch e.Kind {
	case erasure.RequestCreated:
		r.made = &e
	case erasure.RequestClaimed:
		r.started, r.changed = e.Time, r.changed || renewed
	case erasure.KeysDestroyed:
		r.destroyed = e.Time
	case erasure.RequestCompleted:
		r.finished = e.Time
	case erasure.RequestCancelled:
		r.finished, r.changed = e.Time, r.changed || renewed
	case erasure.RequestReopened:
		r.finished = time.Time{}
	}
}

func (h *history) takeErased(e erasure.Entry) {
	if e.Request == nil || e.Kind != erasure.KeysDestroyed {
		return
	}
	for _, id := range e.Keys {
		h.erased[id] = *e.Request
	}
}

// claimedSince are the profiles whose erasure has begun since the backup and of which
// the log does not list the keys yet: a kill may have come between the two.
func (db *DB) claimedSince(ctx context.Context) (profiles map[int64]bool, err error) {
	profiles = map[int64]bool{}
	for id, since := range db.restoring.history.requests {
		if since.state != erasure.InProgress && since.state != erasure.Failed || !since.destroyed.IsZero() {
			continue
		}
		people, err := db.peopleOf(ctx, id, since)
		if err != nil {
			return nil, err
		}
		for _, efface := range people {
			var profile int64
			err := db.reads.QueryRowContext(ctx, `SELECT COALESCE(leads_to, id) FROM profiles WHERE efface_id = $1`, efface[:]).Scan(&profile)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, err
			}
			profiles[profile] = true
		}
	}
	return profiles, nil
}

// peopleOf are the User IDs that an open request is for, or was before a restore
// lost them.
func (db *DB) peopleOf(ctx context.Context, id erasure.RequestID, since *sinceBackup) ([]uuid.UUID, error) {
	people := slices.Clone(since.lost)
	if a := db.restoring.history.asked[id]; a.EffaceID != nil {
		people = append(people, *a.EffaceID)
	}
	r, err := db.readRequest(ctx, id)
	switch {
	case errors.Is(err, ErrNoRequest):
		err = nil
	case err == nil && r.EffaceID != nil:
		people = append(people, *r.EffaceID)
	}
	return people, err
}

package store

import (
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// inFlight is for how long a commit may wait for the witness, at most: of what came
// last, a kill may have left the entries alone, written by another program.
const inFlight = 30 * time.Second

// countUnasked refuses a witness that lacks what open requests ask for: whoever they
// are for would stay, and they would be completed. One whose keys are destroyed needs
// nothing more.
func (db *DB) countUnasked() error {
	h, did := &db.restoring.history, &db.restoring.Did
	for id, r := range h.requests {
		if _, known := h.asked[id]; !known && r.made != nil && h.newest.Sub(r.made.Time) > inFlight && r.state.Open() && r.destroyed.IsZero() {
			did.Unasked++
		}
	}
	if did.Unasked == 0 || db.restoring.AcceptLoss {
		return nil
	}
	return erasure.Errorf(erasure.CodeInvalid, "The requests.jsonl in the witness %s lacks open requests that its log lists, %d in all; put a good copy of the witness there or, where there is none, add --accept-loss and ask for them again: whom they are for is lost.",
		db.options.Witness, did.Unasked)
}

// askAgain gives an open request what the witness keeps of it.
func (t *tx) askAgain(r *request, a askedFor, lost []uuid.UUID) error {
	if a.FromLog && !r.FromLog { // the backup knows more
		a.EffaceID, a.Suppress, a.CancelBefore = r.EffaceID, r.Suppress, millisOf(r.CancelBefore)
	}
	r.Suppress, r.CancelBefore = a.Suppress, timeOf(a.CancelBefore)
	if id, ok := erasure.ParseRequestID(a.Joined); ok {
		r.Joined = &id
	}
	return t.aim(r, a, lost)
}

// rekey seals what was asked for under a new key where the request's own is not
// in the keyring.
func (t *tx) rekey(r *request, a askedFor) error {
	if r.key != nil && t.db.restoring.keys.holds(r.key.ID) {
		return nil
	}
	k, err := t.newKey()
	if err != nil {
		return err
	}
	t.db.restoring.keys.made[k.Ref.ID] = true
	r.key, r.asked, r.reason = &k.Ref, nil, nil
	if a.Key != "" {
		r.asked = k.Seal(joinAsked(identifier{key: a.Key, value: a.Value}), askedAD())
	}
	if a.Reason != "" {
		r.reason = k.Seal([]byte(a.Reason), seal.AD{Table: "requests", Column: "reason"})
	}
	return nil
}

// aim finds the profile that a request is for, or was for when a restore lost
// it. Where that came after the backup it waits for the identifier asked for, so
// that nobody else is taken for them.
func (t *tx) aim(r *request, a askedFor, lost []uuid.UUID) error {
	r.profile, r.waiting = sql.NullInt64{}, nil
	if a.EffaceID != nil {
		lost = append([]uuid.UUID{*a.EffaceID}, lost...)
	}
	for _, id := range lost {
		p, err := t.profileOfID(id)
		if err == nil {
			r.profile, r.EffaceID = sql.NullInt64{Int64: p.id, Valid: true}, &p.efface
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	if r.EffaceID = a.EffaceID; r.EffaceID != nil {
		t.log(erasure.Entry{Kind: erasure.ProfileLost, Request: &r.ID, Batch: r.Batch, Origin: r.Origin, Reference: r.Reference,
			Actor: erasure.System, Profiles: []uuid.UUID{*a.EffaceID}})
	}
	if r.State != erasure.Pending || r.Joined != nil || a.Key == "" || a.Key == effaceIDKey {
		return nil
	}
	mac := fingerprint(t.db.secrets.waiting, a.Table, a.Key, a.Value)
	var other bool // asked for with the same identifier: one of them waits for it
	err := t.row(`SELECT EXISTS (SELECT 1 FROM requests WHERE waiting = $1 AND profile IS NULL AND state = 'pending' AND id <> $2)`,
		mac[:], r.ID[:]).Scan(&other)
	if err == nil && !other {
		r.waiting = mac[:]
	}
	return err
}

// waitOnlyForStrangers lets no request wait for an identifier that leads to
// somebody: it was made for another person, who is not in the backup.
func (t *tx) waitOnlyForStrangers() error {
	for _, a := range t.db.restoring.history.asked {
		if a.Key == "" {
			continue
		}
		r, err := t.request(a.ID)
		if err != nil {
			return err
		}
		if r.profile.Valid || a.EffaceID == nil {
			continue
		}
		number, err := t.keyNumber(a.Table, a.Key)
		if err != nil {
			return err
		}
		mac := fingerprint(t.db.secrets.lookup, a.Table, a.Key, a.Value)
		if _, err := t.exec(`UPDATE requests SET waiting = NULL WHERE id = $1 AND EXISTS (SELECT 1 FROM lookup l WHERE l.key = $2 AND l.mac = $3)`,
			a.ID[:], number, mac[:]); err != nil {
			return err
		}
	}
	return nil
}

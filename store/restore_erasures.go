package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// redoErasures hands what came back of the erased to the runner: the fragments
// whose key was destroyed, and the profiles that have no other.
func (t *tx) redoErasures() error {
	dead := t.db.restoring.keys.dead
	for _, id := range slices.SortedFunc(maps.Keys(dead), compareIDs) {
		if err := t.redoErasure(id, dead[id]); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return t.listDestroyed()
}

func (t *tx) redoErasure(id erasure.RequestID, dead []deadFragment) error {
	r, err := t.request(id)
	if errors.Is(err, ErrNoRequest) { // the content of its entries has gone after its retention
		return t.deleteDead(dead)
	}
	if err != nil {
		return err
	}
	profile, efface, err := t.gatherDead(dead)
	if err != nil {
		return err
	}
	if r.EffaceID == nil {
		r.EffaceID = &efface
	}
	if since := t.db.restoring.history.requests[id]; since != nil && since.whole {
		r.FromLog = false // it will be completed anew, and known whole
	}
	if r.State == erasure.Completed {
		t.db.restoring.Did.Reopened++
		t.logMove(move{table: r.Table, destroyed: true, entry: erasure.Entry{Kind: erasure.RequestReopened, Request: &r.ID, Batch: r.Batch,
			From: erasure.Completed, To: erasure.InProgress, Origin: r.Origin, Reference: r.Reference, Actor: erasure.System}})
		r.State = erasure.InProgress
	}
	if _, err := t.exec(`UPDATE requests SET state = $1, profile = $2, efface_id = $3, finished_at = 0, finished = 0, checked_at = 0, retry = 0, from_log = $4 WHERE id = $5`,
		string(r.State), profile, r.EffaceID[:], r.FromLog, id[:]); err != nil {
		return err
	}
	if _, err := t.exec(`INSERT INTO claimed (profile) VALUES ($1) ON CONFLICT DO NOTHING`, profile); err != nil {
		return err
	}
	for _, f := range dead {
		if err := t.listDestroyedKey(id, f.key); err != nil {
			return err
		}
	}
	if _, err := t.exec(`DELETE FROM erasure_checks WHERE request = $1`, id[:]); err != nil {
		return err
	}
	c := claim{id: id}
	c.profile.Int64, c.profile.Valid = profile, true
	return t.setAside(c)
}

func (t *tx) deleteDead(dead []deadFragment) error {
	for _, f := range dead {
		err := t.deleteWhole(f.id)
		if err == nil {
			err = t.forgetEmpty(f.profile)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) listDestroyedKey(id erasure.RequestID, key seal.Ref) error {
	_, err := t.exec(`INSERT INTO erasure_keys (request, key_row, key_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, id[:], key.Row, key.ID[:])
	return err
}

// gatherDead finds the profile that the fragments of an erased person make up. It
// makes one where they are several, or have others beside them.
func (t *tx) gatherDead(dead []deadFragment) (profile int64, efface uuid.UUID, err error) {
	profile = dead[0].profile
	n, err := t.fragmentCount(profile)
	if err != nil {
		return 0, efface, err
	}
	if n == len(dead) && !slices.ContainsFunc(dead, func(f deadFragment) bool { return f.profile != profile }) {
		err = t.row(`SELECT efface_id FROM profiles WHERE id = $1`, profile).Scan(scan16(&efface))
		return profile, efface, err
	}
	if efface, err = uuid.NewV7(); err != nil {
		return 0, efface, err
	}
	profile, err = t.insert(`INSERT INTO profiles (efface_id, table_, created_at) VALUES ($1, $2, $3)`, efface[:], string(dead[0].table), t.now.UnixMilli())
	for _, f := range dead {
		if err == nil {
			_, err = t.exec(`UPDATE fragments SET profile = $1 WHERE id = $2`, profile, f.id)
		}
		if err == nil {
			err = t.forgetEmpty(f.profile)
		}
	}
	return profile, efface, err
}

// listDestroyed lists the keys of the erasures under way that nothing came back
// of, for the check before they complete.
func (t *tx) listDestroyed() error {
	r := t.db.restoring
	for key, id := range r.history.erased {
		since := r.history.requests[id]
		row, there := r.keys.erased[key]
		if since == nil || !since.state.Open() || !there {
			continue
		}
		if err := t.listDestroyedKey(id, seal.Ref{Row: row, ID: key}); err != nil {
			return err
		}
	}
	return nil
}

// claimAgain does again what a claim's commit does, where the keys were not
// destroyed since: the claim may be newer than the backup.
func (t *tx) claimAgain(id erasure.RequestID) error {
	r, err := t.request(id)
	if errors.Is(err, ErrNoRequest) {
		return nil
	}
	if err != nil || r.State == erasure.Pending || !r.KeysDestroyedAt.IsZero() || r.Joined != nil {
		return err
	}
	c := claim{id: r.ID, table: r.Table, profile: r.profile, suppress: r.Suppress}
	together := []claim{}
	err = t.each(func(scan func(...any) error) error {
		one := claim{}
		err := scan(scan16(&one.id), &one.key.Row, scan16(&one.key.ID))
		together = append(together, one)
		return err
	}, `SELECT id, key_row, key_id FROM requests WHERE (id = $1 OR joined = $1) AND key_id IS NOT NULL`, id[:])
	if err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM erasure_keys WHERE request = $1`, r.ID[:]); err != nil {
		return err
	}
	if err := t.fixKeys(c, together); err != nil {
		return err
	}
	if err := t.unlistUnknown(r.ID); err != nil {
		return err
	}
	if !r.profile.Valid {
		return nil
	}
	if _, err := t.exec(`DELETE FROM erasure_checks WHERE request = $1`, r.ID[:]); err != nil {
		return err
	}
	if err := t.setAside(c); err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO claimed (profile) VALUES ($1) ON CONFLICT DO NOTHING`, r.profile.Int64)
	return err
}

// unlistUnknown takes from the keys to destroy those that the keyring does not
// have.
func (t *tx) unlistUnknown(id erasure.RequestID) error {
	var unknown [][16]byte
	err := t.each(func(scan func(...any) error) error {
		var key [16]byte
		err := scan(scan16(&key))
		if !t.db.restoring.keys.holds(key) {
			unknown = append(unknown, key)
		}
		return err
	}, `SELECT key_id FROM erasure_keys WHERE request = $1`, id[:])
	for _, key := range unknown {
		if err == nil {
			_, err = t.exec(`DELETE FROM erasure_keys WHERE request = $1 AND key_id = $2`, id[:], key[:])
		}
	}
	return err
}

// forgetErased takes from requests the sealed values whose key was destroyed, as
// that of an earlier one of an erased person, or is lost.
func (t *tx) forgetErased() error {
	var ids []erasure.RequestID
	err := t.each(func(scan func(...any) error) error {
		var id erasure.RequestID
		var key [16]byte
		err := scan(scan16(&id), scan16(&key))
		if !t.db.restoring.keys.holds(key) {
			ids = append(ids, id)
		}
		return err
	}, `SELECT id, key_id FROM requests WHERE key_id IS NOT NULL`)
	for _, id := range ids {
		if err == nil {
			_, err = t.exec(`UPDATE requests SET key_row = NULL, key_id = NULL, asked = NULL, reason = NULL WHERE id = $1`, id[:])
		}
	}
	return err
}

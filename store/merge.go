package store

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// mergeUnlessOpen merges other with the target, which is about to get some
// identifiers. That they would have too many of a key stops it. An open request of either stops
// it too; that is noted and tried again after a cancel.
func (t *tx) mergeUnlessOpen(target *profile, other profile, by joining, keep []identifier) (bool, error) {
	if over, err := t.overTogether(*target, other, keep); err != nil || over {
		return false, err
	}
	open, err := t.eitherOpen(*target, other)
	if err != nil {
		return false, err
	}
	if open {
		return false, t.refuse(*target, other, by)
	}
	return true, t.mergeInto(target, other, by)
}

// eitherOpen reports whether one of two has an open request.
func (t *tx) eitherOpen(a, b profile) (bool, error) {
	for _, p := range []profile{a, b} {
		_, err := t.openRequest(p)
		if !errors.Is(err, sql.ErrNoRows) {
			return err == nil, err
		}
	}
	return false, nil
}

// mergeInto makes the older of two the target.
func (t *tx) mergeInto(target *profile, other profile, by joining) error {
	survivor, loser := *target, other
	if loser.id < survivor.id {
		survivor, loser = loser, survivor
	}
	*target = survivor
	return t.merge(survivor, loser, by)
}

// merge makes one profile of two, and notes by what.
func (t *tx) merge(survivor, loser profile, by joining) error {
	if err := t.movePointers(survivor, loser); err != nil {
		return err
	}
	if err := t.noteMerge(survivor, loser, by); err != nil {
		return fmt.Errorf("noting a merge: %w", err)
	}
	t.log(erasure.Entry{Kind: erasure.ProfileMerged, Actor: erasure.System, Profiles: []uuid.UUID{survivor.efface, loser.efface}})
	return nil
}

// movePointers re-seals nothing. The older profile's User ID stays; the other
// still leads there.
func (t *tx) movePointers(survivor, loser profile) error {
	for _, query := range []string{
		`UPDATE fragments SET profile = $1 WHERE profile = $2`,
		`INSERT INTO lookup (key, mac, profile) SELECT key, mac, $1 FROM lookup WHERE profile = $2 ON CONFLICT DO NOTHING`,
		`UPDATE requests SET profile = $1 WHERE efface_id IN (SELECT efface_id FROM profiles WHERE id = $2 OR leads_to = $2)`,
		`UPDATE profiles SET leads_to = $1 WHERE id = $2 OR leads_to = $2`,
	} {
		if _, err := t.exec(query, survivor.id, loser.id); err != nil {
			return err
		}
	}
	if _, err := t.exec(`DELETE FROM lookup WHERE profile = $1`, loser.id); err != nil {
		return err
	}
	if err := t.moveMemberships(survivor, loser); err != nil {
		return err
	}
	if err := t.moveOverLimit(survivor, loser); err != nil {
		return err
	}
	return t.moveRefusals(survivor, loser)
}

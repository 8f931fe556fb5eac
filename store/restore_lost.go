package store

import (
	"slices"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// forgetLost deletes the sources that can't be read, and whom nothing is left of.
func (t *tx) forgetLost() error {
	profiles := map[int64]bool{}
	for _, f := range slices.Concat(t.db.restoring.keys.lost, t.db.restoring.keys.gone) {
		profiles[f.profile] = true
		if err := t.deleteWhole(f.id); err != nil {
			return err
		}
	}
	for p := range profiles {
		left, err := t.fragmentCount(p)
		if err == nil && left == 0 {
			err = t.noteLost(p)
		}
		if err == nil {
			err = t.forgetEmpty(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// noteLost logs of the open requests for a profile that it is lost.
func (t *tx) noteLost(profile int64) error {
	return t.each(func(scan func(...any) error) error {
		r, err := scanRequest(scan, t.hb)
		if err == nil && r.EffaceID != nil {
			t.log(erasure.Entry{Kind: erasure.ProfileLost, Request: &r.ID, Batch: r.Batch, Origin: r.Origin, Reference: r.Reference,
				Actor: erasure.System, Profiles: []uuid.UUID{*r.EffaceID}})
		}
		return err
	}, `SELECT `+requestColumns+requestTables+` WHERE r.state IN ('pending', 'in_progress', 'failed')
		AND r.efface_id IN (SELECT p.efface_id FROM profiles p WHERE p.id = $1 OR p.leads_to = $1)`, profile)
}

func (t *tx) deleteWhole(fragment int64) error {
	for {
		budget := 1 << 20
		if done, err := t.deleteFragment(fragment, &budget); done || err != nil {
			return err
		}
	}
}

func (t *tx) forgetEmpty(profile int64) error {
	left, err := t.fragmentCount(profile)
	if err != nil || left > 0 {
		return err
	}
	for _, query := range []string{
		`DELETE FROM memberships WHERE group_ = $1 OR member = $1`,
		`DELETE FROM refused_merges WHERE profile = $1 OR other = $1`,
		`DELETE FROM over_limit WHERE profile = $1`,
		`UPDATE requests SET profile = NULL WHERE efface_id IN (SELECT efface_id FROM profiles WHERE id = $1 OR leads_to = $1)`,
		`DELETE FROM profiles WHERE id = $1 OR leads_to = $1`,
	} {
		if _, err := t.exec(query, profile); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) fragmentCount(profile int64) (n int, err error) {
	err = t.row(`SELECT COUNT(*) FROM fragments WHERE profile = $1`, profile).Scan(&n)
	return n, err
}

package store

import (
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// mergeUnlessOpen merges other with the target. An open request of either
// stops it; that is noted and tried again after a cancel.
func (t *tx) mergeUnlessOpen(target *profile, other profile, alias bool) (bool, error) {
	for _, p := range []profile{*target, other} {
		_, err := t.openRequest(p)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err == nil {
			_, err = t.exec(`INSERT INTO refused_merges (profile, other, alias) VALUES ($1, $2, $3)
				ON CONFLICT (profile, other) DO UPDATE SET alias = CASE WHEN excluded.alias = 1 THEN 1 ELSE refused_merges.alias END`,
				min(target.id, other.id), max(target.id, other.id), alias)
		}
		return false, err
	}
	survivor, loser := *target, other
	if loser.id < survivor.id {
		survivor, loser = loser, survivor
	}
	*target = survivor
	return true, t.merge(survivor, loser)
}

// merge moves pointers and re-seals nothing. The older profile's User ID
// stays; the other still leads there.
func (t *tx) merge(survivor, loser profile) error {
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
	t.log(erasure.Entry{Kind: erasure.ProfileMerged, Actor: erasure.System, Profiles: []uuid.UUID{survivor.efface, loser.efface}})
	return t.moveRefusals(survivor, loser)
}

// moveRefusals lets the merges that were refused to the loser wait for the
// survivor.
func (t *tx) moveRefusals(survivor, loser profile) error {
	others, err := t.refusals(loser.id)
	if err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM refused_merges WHERE profile = $1 OR other = $1`, loser.id); err != nil {
		return err
	}
	for _, o := range others {
		if o.other == survivor.id {
			continue
		}
		_, err := t.exec(`INSERT INTO refused_merges (profile, other, alias) VALUES ($1, $2, $3)
			ON CONFLICT (profile, other) DO UPDATE SET alias = CASE WHEN excluded.alias = 1 THEN 1 ELSE refused_merges.alias END`,
			min(survivor.id, o.other), max(survivor.id, o.other), o.alias)
		if err != nil {
			return err
		}
	}
	return nil
}

type refusal struct {
	other int64
	alias bool
}

// refusals lists them by the other's age, for the order decides where not all
// of them can merge.
func (t *tx) refusals(profile int64) (rs []refusal, err error) {
	err = t.each(func(scan func(...any) error) error {
		var r refusal
		err := scan(&r.other, &r.alias)
		rs = append(rs, r)
		return err
	}, `SELECT other, alias FROM refused_merges WHERE profile = $1
		UNION ALL SELECT profile, alias FROM refused_merges WHERE other = $1 ORDER BY 1`, profile)
	return rs, err
}

// retryMerges tries the merges again that a request, now cancelled, stopped.
func (t *tx) retryMerges(profileID int64) error {
	rs, err := t.refusals(profileID)
	if err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM refused_merges WHERE profile = $1 OR other = $1`, profileID); err != nil {
		return err
	}
	target, err := t.profileByRow(profileID)
	if err != nil {
		return err
	}
	for _, r := range rs {
		other, err := t.profileByRow(r.other)
		if errors.Is(err, errNoProfile) {
			continue // erased meanwhile
		}
		if err != nil {
			return err
		}
		may := r.alias
		if !may {
			if may, err = t.compatible(target, other); err != nil {
				return err
			}
		}
		if may && other.id != target.id {
			if _, err := t.mergeUnlessOpen(&target, other, r.alias); err != nil {
				return err
			}
		}
	}
	return nil
}

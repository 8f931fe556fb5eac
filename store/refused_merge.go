package store

import (
	"errors"
	"fmt"

	"github.com/efface/efface/store/seal"
)

// refusedAD has no number: the fragment's number is not its own.
func refusedAD() seal.AD { return seal.AD{Table: "refused_merges", Column: "sealed"} }

// refusal is a merge that an open request stopped, as one of the two sees it.
type refusal struct {
	other    int64
	alias    bool
	key      int64
	fragment int64 // whose key seals what would have joined them
	sealed   []byte
}

// refuse notes a merge that an open request stops, to be tried again after a
// cancel. What would have joined the two led to other, and is sealed with it.
func (t *tx) refuse(target, other profile, by joining) error {
	f, k, err := t.oldestFragment(other)
	if err != nil {
		return err
	}
	if by.number == 0 {
		if by.number, err = t.keyNumber(other.table, by.key); err != nil {
			return err
		}
	}
	return t.keepRefusal(target.id, refusal{other: other.id, alias: by.alias, key: by.number, fragment: f,
		sealed: sealIdentifier(k, by.identifier, refusedAD())})
}

// keepRefusal keeps the first of several between the same two, unless only a
// later one is an alias.
func (t *tx) keepRefusal(profile int64, r refusal) error {
	_, err := t.exec(`INSERT INTO refused_merges (profile, other, alias, key, fragment, sealed) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (profile, other) DO UPDATE SET alias = 1, key = excluded.key, fragment = excluded.fragment, sealed = excluded.sealed
			WHERE excluded.alias = 1 AND refused_merges.alias = 0`,
		min(profile, r.other), max(profile, r.other), r.alias, r.key, r.fragment, r.sealed)
	refused := true
	t.refused = &refused
	return err
}

// takeRefusals lists a profile's refusals by the other's age and deletes them.
func (t *tx) takeRefusals(profile int64) (rs []refusal, err error) {
	err = t.each(func(scan func(...any) error) error {
		var r refusal
		err := scan(&r.other, &r.alias, &r.key, &r.fragment, &r.sealed)
		rs = append(rs, r)
		return err
	}, refusalsQuery, profile)
	if err != nil || len(rs) == 0 {
		return nil, err
	}
	_, err = t.exec(`DELETE FROM refused_merges WHERE profile = $1 OR other = $1`, profile)
	return rs, err
}

const refusalsQuery = `SELECT other, alias, key, fragment, sealed FROM refused_merges WHERE profile = $1
	UNION ALL SELECT profile, alias, key, fragment, sealed FROM refused_merges WHERE other = $1 ORDER BY 1`

// moveRefusals lets the merges that were refused to the loser wait for the
// survivor. Their fragments have moved with it.
func (t *tx) moveRefusals(survivor, loser profile) error {
	rs, err := t.takeRefusals(loser.id)
	if err != nil {
		return err
	}
	for _, r := range rs {
		if r.other == survivor.id {
			continue
		}
		if err := t.keepRefusal(survivor.id, r); err != nil {
			return err
		}
	}
	return nil
}

// retryMerges tries the merges again that a request, now cancelled, stopped.
// What the rules have to say was said when they were refused: from then on the
// two counted as one. In rows from before the key was kept they did not.
func (t *tx) retryMerges(profileID int64) error {
	rs, err := t.takeRefusals(profileID)
	if err != nil || len(rs) == 0 {
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
		if other.id == target.id {
			continue
		}
		if err := t.retryMerge(&target, other, r); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) retryMerge(target *profile, other profile, r refusal) error {
	if r.key == 0 {
		if may, err := t.mayMerge(*target, other, r.alias); err != nil || !may {
			return err
		}
	}
	open, err := t.eitherOpen(*target, other)
	if err != nil {
		return err
	}
	if open {
		return t.keepRefusal(target.id, r)
	}
	by, err := t.openRefusal(r)
	if err != nil {
		return err
	}
	return t.mergeInto(target, other, by)
}

// mayMerge asks the rules of two that did not count as one until now.
func (t *tx) mayMerge(target, other profile, alias bool) (bool, error) {
	if !alias {
		of, err := t.together(target)
		if err != nil {
			return false, err
		}
		with, err := t.together(other)
		if err != nil {
			return false, err
		}
		if may, err := t.compatible(target.table, of, with); err != nil || !may {
			return false, err
		}
	}
	over, err := t.overTogether(target, other, nil)
	return !over, err
}

// openRefusal reads what would have joined two profiles. What cannot be read
// holds up no merge.
func (t *tx) openRefusal(r refusal) (by joining, err error) {
	by.alias, by.number = r.alias, r.key
	if r.key == 0 {
		return by, nil // from before it was kept
	}
	var ref seal.Ref
	if err := t.row(`SELECT key_row, key_id FROM fragments WHERE id = $1`, r.fragment).Scan(&ref.Row, scan16(&ref.ID)); err != nil {
		return by, fmt.Errorf("reading a refused merge's fragment: %w", err)
	}
	k, err := t.key(ref)
	if err == nil {
		by.value, by.given, err = openIdentifier(k, r.sealed, refusedAD())
	}
	if errors.Is(err, seal.ErrSealed) {
		t.db.log.Error("the identifier of a refused merge is damaged", "fragment", r.fragment)
		return by, nil
	}
	return by, err
}

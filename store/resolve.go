package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/efface/efface/store/erasure"
)

// arrival is an identifier that arrived, and the live profiles it leads to.
type arrival struct {
	identifier
	spec  erasure.KeySpec
	found []profile
	// more says that it leads to more than were looked up.
	more bool
}

// weighed is how many profiles of an identifier are looked up, the oldest. One
// that leads to more, such as none@example.com, says little of who somebody is.
const weighed = 100

// leadsTo reports whether it leads to a profile, or to one that counts as one
// with it.
func (a arrival) leadsTo(p profile) bool {
	return slices.ContainsFunc(a.found, func(f profile) bool { return f.person == p.person })
}

// shared reports whether it leads to several that do not count as one.
func (a arrival) shared() bool {
	return a.more || slices.ContainsFunc(a.found, func(f profile) bool { return f.person != a.found[0].person })
}

// resolution is what was decided about identifiers that arrived together.
type resolution struct {
	target profile
	keep   []identifier // those that shall lead to the target
	made   int64        // the profile that was made for them; 0 for none
}

var errUnknownUserID = erasure.Errorf(erasure.CodeInvalid, "Give a User ID that Efface has made and that is not erased, or none.")

// arrive looks up what arrived, the strongest first. A User ID that nobody has
// is refused: it can only be given by Efface.
func (t *tx) arrive(ids []identifier) ([]arrival, error) {
	arrived := make([]arrival, len(ids))
	for i, id := range ids {
		var err error
		if id.number == 0 && id.key != effaceIDKey {
			if id.number, err = t.keyNumber(id.table, id.key); err != nil {
				return nil, err
			}
		}
		arrived[i] = arrival{identifier: id, spec: erasure.KeyOf(id.table, id.key)}
		if arrived[i].found, err = t.lookup(id, weighed); err != nil {
			return nil, err
		}
		arrived[i].more = len(arrived[i].found) == weighed
		if id.key == effaceIDKey && len(arrived[i].found) == 0 {
			return nil, errUnknownUserID
		}
	}
	slices.SortStableFunc(arrived, func(a, b arrival) int { return b.spec.Strength - a.spec.Strength })
	return arrived, t.findPersons(arrived)
}

// resolve decides which profile identifiers that arrived together belong to,
// and merges profiles that they join. The rules are those of
// docs/architecture.md, "Who is who".
func (t *tx) resolve(table erasure.Table, arrived []arrival) (r resolution, err error) {
	target, ok, err := t.strongest(arrived)
	if err != nil {
		return r, err
	}
	if ok {
		if ok, err = t.mayHold(target, arrived); err != nil {
			return r, err
		}
	}
	for _, a := range arrived {
		if len(a.found) == 0 || a.shared() || ok && slices.ContainsFunc(a.found, func(f profile) bool { return f.id == target.id }) {
			continue
		}
		joined, err := t.join(&target, ok, a, arrived)
		if err != nil {
			return r, err
		}
		ok = ok || joined
	}
	if !ok {
		if target, err = t.newProfile(table); err != nil {
			return r, err
		}
		r.made = target.id
	}
	r.target = target
	for _, a := range arrived {
		stays, err := t.stays(a, target)
		if err != nil {
			return r, err
		}
		if !stays {
			r.keep = append(r.keep, a.identifier)
		}
	}
	return r, nil
}

// stays reports whether an identifier may lead to one profile only and leads
// to another one than the target, which nothing has merged into it.
func (t *tx) stays(a arrival, target profile) (bool, error) {
	if a.key == effaceIDKey {
		return true, nil
	}
	if !a.spec.OneProfile || len(a.found) == 0 || a.found[0].id == target.id {
		return false, nil
	}
	p, err := t.profileByRow(a.found[0].id)
	return p.id != target.id, err
}

// mayHold reports whether a profile may take what arrived: it has no other
// value of a key that allows one.
func (t *tx) mayHold(p profile, arrived []arrival) (bool, error) {
	for _, a := range arrived {
		if !a.spec.OneValue || a.key == effaceIDKey || a.leadsTo(p) {
			continue
		}
		all, err := t.together(p)
		if err != nil {
			return false, err
		}
		has, err := t.haveKey(all, a.number)
		if err != nil || has {
			return false, err
		}
	}
	return true, nil
}

// haveKey reports whether one of several profiles has an identifier of a key.
func (t *tx) haveKey(profiles []int64, key int64) (bool, error) {
	for _, p := range profiles {
		var one int
		err := t.row(`SELECT 1 FROM lookup WHERE profile = $1 AND key = $2 LIMIT 1`, p, key).Scan(&one)
		if !errors.Is(err, sql.ErrNoRows) {
			return err == nil, err
		}
	}
	return false, nil
}

// join merges the profile that an identifier leads to with the target, where
// the rules allow it. Where there is no target yet, the other becomes it.
func (t *tx) join(target *profile, exists bool, by arrival, arrived []arrival) (bool, error) {
	current, err := t.profileByRow(by.found[0].id) // an identifier before may have merged it
	if err != nil || exists && current.id == target.id {
		return false, err
	}
	var of []int64
	with := []int64{current.id}
	if exists {
		if of, err = t.together(*target); err != nil {
			return false, err
		}
	}
	if slices.Contains(of, current.id) { // they count as one, and may even be made one
		of = []int64{target.id}
	} else {
		current.person = by.found[0].person
		if may, err := t.mayHold(current, arrived); err != nil || !may {
			return false, err
		}
		if !exists {
			*target = current
			return true, nil
		}
		if with, err = t.together(current); err != nil {
			return false, err
		}
	}
	if may, err := t.compatible(target.table, of, with); err != nil || !may {
		return false, err
	}
	return t.mergeUnlessOpen(target, current, joining{identifier: by.identifier}, nil)
}

// compatible reports whether two people do not both have a value of a key that
// allows one.
func (t *tx) compatible(table erasure.Table, a, b []int64) (bool, error) {
	for _, spec := range erasure.Keys(table) {
		if !spec.OneValue || spec.Name == effaceIDKey {
			continue
		}
		number, err := t.keyNumber(table, spec.Name)
		if err != nil {
			return false, err
		}
		hasA, err := t.haveKey(a, number)
		if err != nil {
			return false, err
		}
		hasB, err := t.haveKey(b, number)
		if err != nil || hasA && hasB {
			return false, err
		}
	}
	return true, nil
}

func (t *tx) newProfile(table erasure.Table) (p profile, err error) {
	p = profile{efface: erasure.NewEffaceID(t.now), table: table, created: t.now.UnixMilli()}
	p.id, err = t.insert(`INSERT INTO profiles (efface_id, table_, created_at) VALUES ($1, $2, $3)`,
		p.efface[:], string(table), p.created)
	p.person = p.id
	return p, err
}

// joinAlias joins the profile of an alias's previousId with the target, even
// where both hold a user_id. A previousId that nothing is known of is kept as
// an anonymous_id.
func (t *tx) joinAlias(r *resolution, told []arrival, previous []identifier) error {
	for _, id := range previous {
		if slices.ContainsFunc(r.keep, func(k identifier) bool { return k.key == id.key && k.value == id.value }) {
			return nil // an alias of itself
		}
		arrived, err := t.arrive([]identifier{id})
		if err != nil {
			return err
		}
		if found := arrived[0].found; len(found) > 0 {
			if found[0].id != r.target.id {
				_, err = t.mergeUnlessOpen(&r.target, found[0], joining{arrived[0].identifier, true}, r.keep)
			}
			return err
		}
	}
	last := previous[len(previous)-1]
	arrived, err := t.arrive([]identifier{last})
	if err != nil {
		return err
	}
	r.keep = append(r.keep, arrived[0].identifier)
	return t.withinLimit(r, told)
}

func (t *tx) profileByRow(id int64) (profile, error) {
	p, err := scanProfile(t.row(`SELECT `+profileColumns+` FROM profiles f
		JOIN profiles p ON p.id = COALESCE(f.leads_to, f.id) WHERE f.id = $1 AND NOT EXISTS (SELECT 1 FROM claimed c WHERE c.profile = p.id)`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return p, errNoProfile
	}
	return p, err
}

// prepareIDs normalises identifiers outside any transaction.
func (db *DB) prepareIDs(ctx context.Context, ids []erasure.Identifier) ([]identifier, error) {
	out := make([]identifier, 0, len(ids))
	values := map[string]int{}
	for _, id := range ids {
		n, err := db.normalised(ctx, id)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(o identifier) bool { return o.mac == n.mac && o.key == n.key }) {
			out = append(out, n)
			values[n.key]++
		}
		if values[n.key] > 1 && erasure.KeyOf(n.table, n.key).OneValue {
			return nil, erasure.Errorf(erasure.CodeInvalid, "Give one value of %s; a profile has one at most.", n.key)
		}
	}
	return out, nil
}

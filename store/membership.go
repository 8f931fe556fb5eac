package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// addMembership makes a person a member of a group, once.
func (t *tx) addMembership(group, member profile) error {
	_, err := t.exec(`INSERT INTO memberships (group_, member) VALUES ($1, $2) ON CONFLICT DO NOTHING`, group.id, member.id)
	return err
}

// mergeMemberships are a merge's statements: who was in a group through both
// is in it once.
var mergeMemberships = map[erasure.Table][2]string{
	erasure.User: {
		`INSERT INTO memberships (group_, member) SELECT group_, $1 FROM memberships WHERE member = $2 ON CONFLICT DO NOTHING`,
		`DELETE FROM memberships WHERE member = $1`,
	},
	erasure.Group: {
		`INSERT INTO memberships (group_, member) SELECT $1, member FROM memberships WHERE group_ = $2 ON CONFLICT DO NOTHING`,
		`DELETE FROM memberships WHERE group_ = $1`,
	},
}

func (t *tx) moveMemberships(survivor, loser profile) error {
	queries := mergeMemberships[survivor.table]
	if _, err := t.exec(queries[0], survivor.id, loser.id); err != nil {
		return err
	}
	_, err := t.exec(queries[1], loser.id)
	return err
}

// deleteMemberships takes some of a profile's memberships. Those on the other
// side of them stay.
var deleteMemberships = map[erasure.Table]string{
	erasure.User:  `DELETE FROM memberships WHERE member = $1 AND group_ IN (SELECT group_ FROM memberships WHERE member = $1 LIMIT $2)`,
	erasure.Group: `DELETE FROM memberships WHERE group_ = $1 AND member IN (SELECT member FROM memberships WHERE group_ = $1 LIMIT $2)`,
}

// countMemberships leaves out those that are being erased. They are taken off
// the sum, for a group may have a million members, and few are claimed at once.
var countMemberships = map[erasure.Table]string{
	erasure.User: `SELECT (SELECT COUNT(*) FROM memberships WHERE member = $1) -
		(SELECT COUNT(*) FROM claimed c CROSS JOIN memberships m WHERE m.group_ = c.profile AND m.member = $1)`,
	erasure.Group: `SELECT (SELECT COUNT(*) FROM memberships WHERE group_ = $1) -
		(SELECT COUNT(*) FROM claimed c CROSS JOIN memberships m WHERE m.group_ = $1 AND m.member = c.profile)`,
}

const (
	groupsShown    = 20
	groupsExported = 1000
)

const groupsQuery = `SELECT p.efface_id FROM memberships m CROSS JOIN profiles p WHERE m.member = $1 AND p.id = m.group_
	AND NOT EXISTS (SELECT 1 FROM claimed c WHERE c.profile = m.group_) ORDER BY m.group_ LIMIT $2`

// groups lists some of the groups that a person is a member of, the oldest
// first. Whatever else is held of a group is read by a look at it.
func (db *DB) groups(ctx context.Context, p profile, limit int) (groups []uuid.UUID, err error) {
	if p.table == erasure.Group {
		return nil, nil // who its members are is read nowhere
	}
	rows, err := db.reads.QueryContext(ctx, groupsQuery, p.id, limit)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var id uuid.UUID
		err := scan(scan16(&id))
		groups = append(groups, id)
		return err
	})
	return groups, err
}

func (db *DB) memberships(ctx context.Context, p profile) (n int, err error) {
	err = db.reads.QueryRowContext(ctx, countMemberships[p.table], p.id).Scan(&n)
	return n, err
}

package store

import (
	"context"

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

func (db *DB) memberships(ctx context.Context, p profile) (n int, err error) {
	err = db.reads.QueryRowContext(ctx, countMemberships[p.table], p.id).Scan(&n)
	return n, err
}

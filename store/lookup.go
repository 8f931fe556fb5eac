package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// identifier is a normalised identifier with the fingerprint it is found by.
type identifier struct {
	table  erasure.Table
	key    string
	value  string // normalised
	given  string // as the source gave it, cleaned of nothing
	number int64  // of the key; 0 where no profile has ever had it
	mac    [16]byte
}

// effaceIDKey is the one key that is looked up in profiles, not in lookup.
const effaceIDKey = "efface_id"

// normalised prepares an identifier for a look-up.
func (db *DB) normalised(ctx context.Context, id erasure.Identifier) (identifier, error) {
	region, err := db.Region(ctx)
	if err != nil {
		return identifier{}, err
	}
	value, _, err := erasure.Normalise(id, region)
	if err != nil {
		return identifier{}, err
	}
	n := identifier{table: id.Table, key: id.Key, value: value, given: id.Value}
	n.mac = fingerprint(db.secrets.lookup, id.Table, id.Key, value)
	n.number, err = db.keyNumber(ctx, id.Table, id.Key)
	return n, err
}

// lookupQuery finds the live profiles of an identifier, oldest first, so many
// at most.
var lookupQuery = `SELECT ` + profileColumns + byIdentifier("$1", "$2", "$3")

const profileColumns = `p.id, p.efface_id, p.table_, p.created_at`

// byIdentifier takes the placeholders of an identifier key's number, of the
// fingerprint, and of how many profiles. CROSS JOIN keeps SQLite from beginning
// with profiles.
func byIdentifier(key, mac, limit string) string {
	return ` FROM lookup l CROSS JOIN profiles p
	WHERE l.key = ` + key + ` AND l.mac = ` + mac + ` AND p.id = l.profile AND NOT EXISTS (SELECT 1 FROM claimed c WHERE c.profile = l.profile)
	ORDER BY l.profile LIMIT ` + limit
}

// everyMatch is the limit of a look-up that has none.
const everyMatch = math.MaxInt64

// profile is a profile's row.
type profile struct {
	id      int64
	efface  uuid.UUID
	table   erasure.Table
	created int64
	// person is the oldest of those that count as one with it: mostly itself,
	// see [tx.together].
	person int64
}

func scanProfile(scan func(...any) error) (p profile, err error) {
	var table string
	err = scan(&p.id, scan16(&p.efface), &table, &p.created)
	p.table, p.person = erasure.Table(table), p.id
	return p, err
}

// lookup finds the live profiles that an identifier leads to, oldest first, so
// many at most.
func (t *tx) lookup(id identifier, limit int) (found []profile, err error) {
	if id.key == effaceIDKey {
		u, err := uuid.Parse(id.value)
		if err != nil {
			return nil, nil
		}
		p, err := t.profile(u)
		if errors.Is(err, errNoProfile) || err == nil && p.table != id.table {
			return nil, nil
		}
		return []profile{p}, err
	}
	if id.number == 0 {
		return nil, nil
	}
	err = t.each(func(scan func(...any) error) error {
		p, err := scanProfile(scan)
		found = append(found, p)
		return err
	}, lookupQuery, id.number, id.mac[:], limit)
	return found, err
}

// numbered gives an identifier its key's number where the key was new when it
// was prepared, outside the transaction: somebody may have it by now.
func (t *tx) numbered(id identifier) (identifier, error) {
	if id.number != 0 || id.key == effaceIDKey {
		return id, nil
	}
	err := t.row(`SELECT id FROM identifier_keys WHERE table_ = $1 AND name = $2`, string(id.table), id.key).Scan(&id.number)
	if errors.Is(err, sql.ErrNoRows) {
		return id, nil
	}
	return id, err
}

// leadsTo reports whether an identifier leads to a live profile.
func (t *tx) leadsTo(id identifier, p profile) (bool, error) {
	var one int
	err := t.row(`SELECT 1 FROM lookup WHERE key = $1 AND mac = $2 AND profile = $3`, id.number, id.mac[:], p.id).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

var errNoProfile = erasure.Errorf(erasure.CodeNotFound, "No profile has this User ID; it may have been erased meanwhile.")

const profileQuery = `SELECT ` + profileColumns + byUserID

const byUserID = ` FROM profiles p
	WHERE p.id = (SELECT COALESCE(f.leads_to, f.id) FROM profiles f WHERE f.efface_id = $1) AND NOT EXISTS (SELECT 1 FROM claimed c WHERE c.profile = p.id)`

// profile reads a live profile by its User ID or a former one.
func (t *tx) profile(id uuid.UUID) (profile, error) {
	p, err := scanProfile(t.row(profileQuery, id[:]).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return p, errNoProfile
	}
	return p, err
}

func (db *DB) readProfile(ctx context.Context, id uuid.UUID) (profile, error) {
	p, err := scanProfile(db.reads.QueryRowContext(ctx, profileQuery, id[:]).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return p, errNoProfile
	}
	return p, err
}

// Find looks an identifier up and returns what may be shown of every profile
// it leads to without opening anything, oldest first. Only exact values are
// found. A look that shows more is logged by [DB.Profile].
func (db *DB) Find(ctx context.Context, id erasure.Identifier) ([]erasure.Profile, error) {
	n, err := db.normalised(ctx, id)
	if err != nil {
		return nil, err
	}
	rows, err := db.findRows(ctx, n)
	if err != nil {
		return nil, err
	}
	found := make([]erasure.Profile, len(rows))
	for i, p := range rows {
		if found[i], err = db.summary(ctx, p); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (db *DB) findRows(ctx context.Context, id identifier) (found []profile, err error) {
	if id.key == effaceIDKey {
		u, err := uuid.Parse(id.value)
		if err != nil {
			return nil, nil
		}
		p, err := db.readProfile(ctx, u)
		if errors.Is(err, errNoProfile) || err == nil && p.table != id.table {
			return nil, nil
		}
		return []profile{p}, err
	}
	rows, err := db.reads.QueryContext(ctx, lookupQuery, id.number, id.mac[:], everyMatch)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		p, err := scanProfile(scan)
		found = append(found, p)
		return err
	})
	return found, err
}

// fragment is a fragment's row.
type fragment struct {
	id  int64
	key seal.Ref
	erasure.Source
}

const fragmentsQuery = `SELECT f.id, s.name, f.key_row, f.key_id, f.identifiers, f.traits, f.records, f.years, f.first_at, f.last_at
	FROM fragments f JOIN sources s ON s.id = f.source WHERE f.profile = $1 ORDER BY f.id`

func scanFragment(scan func(...any) error) (f fragment, err error) {
	err = scan(&f.id, &f.Name, &f.key.Row, scan16(&f.key.ID), &f.Identifiers, &f.Traits, &f.Records, (*years)(&f.Years),
		scanTime(&f.FirstAt), scanTime(&f.LastAt))
	return f, err
}

func (db *DB) fragments(ctx context.Context, profile int64) (fs []fragment, err error) {
	rows, err := db.reads.QueryContext(ctx, fragmentsQuery, profile)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		f, err := scanFragment(scan)
		fs = append(fs, f)
		return err
	})
	return fs, err
}

// summary says of a profile what its rows say in the clear.
func (db *DB) summary(ctx context.Context, p profile) (erasure.Profile, error) {
	out, _, err := db.summaryAndFragments(ctx, p)
	return out, err
}

func (db *DB) summaryAndFragments(ctx context.Context, p profile) (erasure.Profile, []fragment, error) {
	out := erasure.Profile{EffaceID: p.efface, Table: p.table, CreatedAt: millis(p.created)}
	fs, err := db.fragments(ctx, p.id)
	if err != nil {
		return out, nil, fmt.Errorf("reading fragments: %w", err)
	}
	for _, f := range fs {
		out.Sources = append(out.Sources, f.Source)
		out.Records += f.Records
	}
	if out.Former, err = db.former(ctx, p.id); err != nil {
		return out, nil, fmt.Errorf("reading former User IDs: %w", err)
	}
	out.Open, err = db.openRequest(ctx, p)
	return out, fs, err
}

const formerQuery = `SELECT efface_id FROM profiles WHERE leads_to = $1 ORDER BY efface_id`

func (db *DB) former(ctx context.Context, profile int64) (ids []uuid.UUID, err error) {
	rows, err := db.reads.QueryContext(ctx, formerQuery, profile)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var id uuid.UUID
		err := scan(scan16(&id))
		ids = append(ids, id)
		return err
	})
	return ids, err
}

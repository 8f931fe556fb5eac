package store

import (
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// target is a live profile as a request for it has to know it. It comes with
// one statement, for the speed of intake is that of its statements.
type target struct {
	profile
	held erasure.Counts     // distinct identifiers, and records
	open *erasure.RequestID // the request that it has already
}

const targetColumns = profileColumns + `, (SELECT COUNT(*) FROM lookup i WHERE i.profile = p.id),
	(SELECT COALESCE(SUM(f.records), 0) FROM fragments f WHERE f.profile = p.id),
	(SELECT r.id FROM requests r WHERE r.efface_id = p.efface_id AND ` + isOpen + `)`

func scanTarget(scan func(...any) error) (p target, err error) {
	p.profile, err = scanProfile(func(dest ...any) error {
		return scan(append(dest, &p.held.Identifiers, &p.held.Records, scanNull16(&p.open))...)
	})
	return p, err
}

// Who asks by an identifier that nobody can have is told [ErrNobody] too, and
// who is to learn that a request was made is told [ErrAsked].
var (
	ErrNobody = erasure.Errorf(erasure.CodeNotFound, "Nobody has exactly this identifier.")
	ErrAsked  = erasure.Errorf(erasure.CodeConflict, "Everyone whom this identifier leads to was asked for before.")
)

// target finds the one live profile that a request is for.
func (t *tx) target(n erasure.NewRequest, asked identifier) (target, error) {
	if n.EffaceID != nil {
		p, err := t.targetByUserID(*n.EffaceID)
		if err == nil && p.efface != *n.EffaceID {
			return p, erasure.Errorf(erasure.CodeConflict,
				"This profile was merged into another one meanwhile; look at it again and paste its present User ID.").In("confirm")
		}
		return p, err
	}
	p, matches, err := t.targetByIdentifier(asked)
	switch {
	case err != nil:
		return p, err
	case matches == 0:
		return p, ErrNobody
	case matches > 1:
		e := erasure.Errorf(erasure.CodeShared, "This identifier leads to %d profiles; ask for one of them by its User ID.", matches)
		e.Matches = matches
		return p, e
	}
	return p, nil
}

func (t *tx) targetByUserID(id uuid.UUID) (target, error) {
	p, err := scanTarget(t.row(targetByUserIDQuery, id[:]).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return p, errNoProfile
	}
	return p, err
}

// targetByIdentifier also counts the profiles that the identifier leads to.
func (t *tx) targetByIdentifier(id identifier) (p target, matches int, err error) {
	if id.key == effaceIDKey {
		u, err := uuid.Parse(id.value)
		if err != nil {
			return p, 0, nil
		}
		p, err := t.targetByUserID(u)
		if errors.Is(err, errNoProfile) || err == nil && p.table != id.table {
			return p, 0, nil
		}
		return p, 1, err
	}
	err = t.each(func(scan func(...any) error) error {
		matches++
		p, err = scanTarget(scan)
		return err
	}, targetByIdentifierQuery, id.number, id.mac[:], 2)
	if err == nil && matches > 1 {
		matches, err = t.countMatches(id)
	}
	return p, matches, err
}

// countMatches reads no profile, for an identifier may lead to 100,000.
func (t *tx) countMatches(id identifier) (n int, err error) {
	err = t.row(matchesQuery, id.number, id.mac[:]).Scan(&n)
	return n, err
}

const matchesQuery = `SELECT COUNT(*) FROM lookup l
	WHERE l.key = $1 AND l.mac = $2 AND NOT EXISTS (SELECT 1 FROM claimed c WHERE c.profile = l.profile)`

const targetByUserIDQuery = `SELECT ` + targetColumns + byUserID

var targetByIdentifierQuery = `SELECT ` + targetColumns + byIdentifier("$1", "$2", "$3")

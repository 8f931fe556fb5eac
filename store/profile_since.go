package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// ProfileSince is [DB.Profile] for somebody who has seen the profile before:
// what came since is marked. seen is the [erasure.Profile.Seen] of then; where
// that says nothing of this profile, nothing is marked.
func (db *DB) ProfileSince(ctx context.Context, actor erasure.Actor, id uuid.UUID, seen string) (erasure.Profile, error) {
	p, err := db.Profile(ctx, actor, id)
	if err != nil {
		return p, err
	}
	before, err := db.parseSeen(p.EffaceID, seen)
	if err != nil {
		return p, nil
	}
	for i := range p.Sources {
		s := &p.Sources[i]
		s.New = !before.has(seenSource, db.seenPart(p.EffaceID, seenSource, []byte(s.Name)))
	}
	for i := range p.Identifiers {
		h := &p.Identifiers[i]
		if h.Damaged {
			continue // nobody can tell whether it was seen
		}
		number, err := db.keyNumber(ctx, p.Table, h.Key)
		if err != nil {
			return p, err
		}
		by := lookedUp{number, fingerprint(db.secrets.lookup, p.Table, h.Key, h.Normalised)}.bytes()
		h.New = !before.has(seenIdentifier, db.seenPart(p.EffaceID, seenIdentifier, by))
		h.NewlyShared = h.Shared && !before.has(seenShared, db.seenPart(p.EffaceID, seenShared, by))
	}
	for kind, part := range before {
		p.Unmarked = p.Unmarked || part.n > seenListed[kind]
	}
	return p, nil
}

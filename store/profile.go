package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

func millis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// PeekProfile says of a profile what its rows say in the clear. It opens
// nothing and logs no look.
func (db *DB) PeekProfile(ctx context.Context, id uuid.UUID) (erasure.Profile, error) {
	p, err := db.readProfile(ctx, id)
	if err != nil {
		return erasure.Profile{}, err
	}
	return db.summary(ctx, p)
}

// Profile opens a profile's identifiers and logs who looked, and reads what
// joins it into one. A former User ID leads to the profile that it was merged
// into.
func (db *DB) Profile(ctx context.Context, actor erasure.Actor, id uuid.UUID) (erasure.Profile, error) {
	found, err := db.profiles(ctx, actor, []uuid.UUID{id}, true)
	if err != nil {
		return erasure.Profile{}, err
	}
	if len(found) == 0 {
		return erasure.Profile{}, errNoProfile
	}
	return found[0], nil
}

// Profiles opens those of several profiles that exist. The looks at them are
// logged in one commit, before anything of them is shown. What joins each into
// one is left out, but whether an identifier is shared.
func (db *DB) Profiles(ctx context.Context, actor erasure.Actor, ids []uuid.UUID) ([]erasure.Profile, error) {
	return db.profiles(ctx, actor, ids, false)
}

func (db *DB) profiles(ctx context.Context, actor erasure.Actor, ids []uuid.UUID, joined bool) (found []erasure.Profile, err error) {
	var looks []look
	for _, id := range ids {
		l, err := db.look(ctx, id, joined)
		if errors.Is(err, errNoProfile) {
			continue
		}
		if err != nil {
			return nil, err
		}
		looks = append(looks, l)
	}
	if err := db.logLooks(ctx, actor, erasure.ProfileViewed, looks); err != nil {
		return nil, fmt.Errorf("logging the looks: %w", err)
	}
	for _, l := range looks {
		l.summary.Identifiers, err = db.openIdentifiers(ctx, l)
		if errors.Is(err, seal.ErrDestroyed) {
			continue // it was erased meanwhile
		}
		if err != nil {
			return nil, err
		}
		if joined {
			l.summary.Merges, err = db.openMerges(ctx, l, shownMerges)
		}
		if errors.Is(err, seal.ErrDestroyed) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, l.summary)
	}
	return found, nil
}

// look is what is read of a profile before it is opened.
type look struct {
	profile
	summary   erasure.Profile
	fragments []fragment
	graph     graph
	joined    bool // what joins it into one is read too
	// key is the profile's oldest: whose profile it was can be read in the
	// log for as long as it exists.
	key seal.Key
}

func (db *DB) look(ctx context.Context, id uuid.UUID, joined bool) (l look, err error) {
	l.joined = joined
	if l.profile, err = db.readProfile(ctx, id); err != nil {
		return l, err
	}
	if l.summary, l.fragments, err = db.summaryAndFragments(ctx, l.profile); err != nil {
		return l, err
	}
	if len(l.fragments) == 0 {
		return l, errNoProfile // it is being erased
	}
	if l.summary.Memberships, err = db.memberships(ctx, l.profile); err != nil {
		return l, fmt.Errorf("counting memberships: %w", err)
	}
	if joined {
		if l.summary.Groups, err = db.groups(ctx, l.profile, groupsShown); err != nil {
			return l, fmt.Errorf("reading groups: %w", err)
		}
		if l.summary.Refused, err = db.refused(ctx, l.profile); err != nil {
			return l, fmt.Errorf("reading refused merges: %w", err)
		}
		if l.summary.OverLimit, err = db.overLimit(ctx, l.profile); err != nil {
			return l, fmt.Errorf("reading what was over the limit: %w", err)
		}
	}
	// It is read before anything is opened: what comes meanwhile is new then.
	if err := db.lookGraph(ctx, &l); err != nil {
		return l, fmt.Errorf("reading the graph: %w", err)
	}
	l.key, err = db.keyring.Key(ctx, l.fragments[0].key)
	if errors.Is(err, seal.ErrDestroyed) {
		err = errNoProfile
	}
	return l, err
}

func (db *DB) logLooks(ctx context.Context, actor erasure.Actor, kind erasure.Kind, looks []look) error {
	if len(looks) == 0 {
		return nil
	}
	return db.write(ctx, func(t *tx) error {
		if _, err := t.stands(actor, erasure.Admin, erasure.Staff); err != nil {
			return err
		}
		for _, l := range looks {
			t.logAbout(erasure.Entry{Kind: kind, Actor: actor}, l.efface.String(), l.key)
		}
		return nil
	})
}

const identifiersQuery = `SELECT i.n, k.id, k.name, i.sealed FROM identifiers i
	JOIN identifier_keys k ON k.id = i.key WHERE i.fragment = $1 ORDER BY k.id, i.n`

func (db *DB) openIdentifiers(ctx context.Context, l look) (held []erasure.HeldIdentifier, err error) {
	var others map[lookedUp][]uuid.UUID
	if l.joined {
		if others, err = db.others(ctx, l); err != nil {
			return nil, err
		}
	}
	for _, f := range l.fragments {
		k, err := db.keyring.Key(ctx, f.key)
		if err != nil {
			return nil, err
		}
		rows, err := db.reads.QueryContext(ctx, identifiersQuery, f.id)
		if err != nil {
			return nil, err
		}
		err = eachRow(rows, func(scan func(...any) error) error {
			h, err := db.scanHeld(scan, l.table, k)
			h.Source = f.Name
			if errors.Is(err, seal.ErrSealed) {
				h.Damaged, err = true, nil
				db.log.Error("a sealed identifier is damaged", "fragment", f.id)
			}
			// What a source gave may need a region that came with it, so the
			// normalised form is the one that is looked up.
			by := lookedUp{h.number, fingerprint(db.secrets.lookup, l.table, h.Key, h.Normalised)}
			h.Shared = l.graph.identifiers[by] > 0
			if l.joined {
				h.Others = others[by]
				h.More = max(0, l.graph.identifiers[by]-len(h.Others))
			}
			held = append(held, h.HeldIdentifier)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return held, nil
}

// heldIdentifier is an opened identifier with what it is looked up by.
type heldIdentifier struct {
	erasure.HeldIdentifier
	number int64
}

func (db *DB) scanHeld(scan func(...any) error, table erasure.Table, k seal.Key) (h heldIdentifier, err error) {
	var n int64
	var sealed []byte
	if err := scan(&n, &h.number, &h.Key, &sealed); err != nil {
		return h, err
	}
	h.Normalised, h.Value, err = openIdentifier(k, sealed, identifierAD(n))
	return h, err
}

// An identifier is sealed as its normalised form and, where it differs, a NUL
// and the form its source gave: the one is looked up, the other shown. No
// value holds a NUL.
func sealIdentifier(k seal.Key, id identifier, ad seal.AD) []byte {
	text := id.value
	if id.given != id.value {
		text += "\x00" + id.given
	}
	return k.Seal([]byte(text), ad)
}

func openIdentifier(k seal.Key, sealed []byte, ad seal.AD) (normalised, given string, err error) {
	b, err := k.Open(sealed, ad)
	if err != nil {
		return "", "", fmt.Errorf("opening an identifier: %w", err)
	}
	normalised, given, ok := strings.Cut(string(b), "\x00")
	if !ok {
		given = normalised
	}
	return normalised, given, nil
}

func identifierAD(n int64) seal.AD { return seal.AD{Table: "identifiers", Column: "sealed", N: n} }
func traitsAD() seal.AD            { return seal.AD{Table: "traits", Column: "sealed"} }
func recordAD(n int64) seal.AD     { return seal.AD{Table: "records", Column: "sealed", N: n} }

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/efface/efface/store/seal"
	"github.com/go-json-experiment/json/jsontext"
)

// telling is a fragment that is being written to.
type telling struct {
	fragment
	profile profile
	key     seal.Key
	isNew   bool
	only    bool // of its profile, so that whatever leads there is in it
}

// tell writes what a call says into its source's fragment of the profile.
func (t *tx) tell(r resolution, p part, arrived []arrival) error {
	f, err := t.fragmentOf(r.target, p.source)
	if err != nil {
		return fmt.Errorf("opening the source's fragment: %w", err)
	}
	for _, id := range r.keep {
		if err := t.tellIdentifier(&f, id, ledTo(r.target, id, arrived)); err != nil {
			return err
		}
	}
	if err := t.tellTraits(&f, p.traits); err != nil {
		return err
	}
	if p.record != nil {
		f.Records++
		(*years)(&f.Years).count(p.at, t.now)
		_, err := t.exec(`INSERT INTO records (fragment, n, at, sealed) VALUES ($1, $2, $3, $4)`,
			f.id, f.Records, p.at, f.key.Seal(p.record, recordAD(int64(f.Records))))
		if err != nil {
			return err
		}
	}
	if p.digest != nil {
		_, err := t.exec(`INSERT INTO messages (fragment, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING`, f.id, p.digest[:])
		if err != nil {
			return err
		}
	}
	_, err = t.exec(`UPDATE fragments SET identifiers = $1, traits = $2, records = $3, years = $4, last_at = $5 WHERE id = $6`,
		f.Identifiers, f.Traits, f.Records, years(f.Years).text(), t.now.UnixMilli(), f.id)
	return err
}

// fragmentOf finds the source's fragment of a profile, or begins one under a
// key of its own.
func (t *tx) fragmentOf(p profile, source string) (telling, error) {
	f := telling{profile: p}
	number, err := t.sourceNumber(source)
	if err != nil {
		return f, err
	}
	err = t.row(`SELECT id, key_row, key_id, identifiers, traits, records, years,
		NOT EXISTS (SELECT 1 FROM fragments o WHERE o.profile = $1 AND o.id <> f.id)
		FROM fragments f WHERE profile = $1 AND source = $2 ORDER BY id LIMIT 1`, p.id, number).
		Scan(&f.id, &f.fragment.key.Row, scan16(&f.fragment.key.ID), &f.Identifiers, &f.Traits, &f.Records, (*years)(&f.Years), &f.only)
	if err == nil {
		f.key, err = t.key(f.fragment.key)
		return f, err
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return f, err
	}
	f.isNew = true
	if f.key, err = t.db.keys.Take(context.Background()); err != nil {
		return f, err
	}
	t.opened[f.key.Ref] = f.key
	f.id, err = t.insert(`INSERT INTO fragments (profile, source, key_row, key_id, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $5)`,
		p.id, number, f.key.Ref.Row, f.key.Ref.ID[:], t.now.UnixMilli())
	return f, err
}

// searched is up to how many identifiers a fragment is searched for one that
// its source may have told before. Each has to be opened for that.
const searched = 100

// ledTo reports whether an identifier led to a profile when it arrived.
func ledTo(p profile, id identifier, arrived []arrival) bool {
	return slices.ContainsFunc(arrived, func(a arrival) bool {
		return a.key == id.key && a.mac == id.mac && slices.ContainsFunc(a.found, func(f profile) bool { return f.id == p.id })
	})
}

// tellIdentifier makes an identifier lead to the profile, where it does not
// yet, and keeps it in the fragment, unless this source told it before.
func (t *tx) tellIdentifier(f *telling, id identifier, leads bool) error {
	var added int64
	if !leads { // as far as was looked up: it may all the same
		var err error
		added, err = t.exec(`INSERT INTO lookup (key, mac, profile) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			id.number, id.mac[:], f.profile.id)
		if err != nil {
			return err
		}
	}
	if added == 0 && !f.isNew {
		if f.only || f.Identifiers >= searched {
			return nil // the profile holds it, from this source or another
		}
		told, err := t.told(f, id)
		if err != nil || told {
			return err
		}
	}
	f.Identifiers++
	_, err := t.exec(`INSERT INTO identifiers (fragment, n, key, sealed) VALUES ($1, $2, $3, $4)`,
		f.id, f.Identifiers, id.number, sealIdentifier(f.key, id, identifierAD(int64(f.Identifiers))))
	if err != nil || added == 0 {
		return err
	}
	return t.attachWaiting(id, f.profile)
}

func (t *tx) told(f *telling, id identifier) (told bool, err error) {
	err = t.each(func(scan func(...any) error) error {
		var n int64
		var sealed []byte
		if err := scan(&n, &sealed); err != nil {
			return err
		}
		value, _, err := openIdentifier(f.key, sealed, identifierAD(n))
		told = told || value == id.value
		return err
	}, `SELECT n, sealed FROM identifiers WHERE fragment = $1 AND key = $2`, f.id, id.number)
	return told, err
}

// traitsSize is how much the traits of a fragment may take, in bytes of JSON:
// each call that gives some opens and seals all of them.
const traitsSize = 128 << 10

// tellTraits lays new traits over the old ones. An absent trait stays. Those that
// would have the fragment hold too much are left out.
func (t *tx) tellTraits(f *telling, traits map[string]jsontext.Value) error {
	if len(traits) == 0 {
		return nil
	}
	all := traits
	if f.Traits > 0 {
		var sealed []byte
		if err := t.row(`SELECT sealed FROM traits WHERE fragment = $1`, f.id).Scan(&sealed); err != nil {
			return err
		}
		b, err := f.key.Open(sealed, traitsAD())
		if err != nil {
			return fmt.Errorf("opening traits: %w", err)
		}
		all = map[string]jsontext.Value{}
		if err := json.Unmarshal(b, &all); err != nil {
			return err
		}
		for name, value := range traits {
			all[name] = value
		}
	}
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	if len(b) > traitsSize {
		t.db.log.Warn("traits are left out: a source gave too many of one profile", "fragment", f.id)
		return nil
	}
	f.Traits = len(all)
	_, err = t.exec(`INSERT INTO traits (fragment, sealed) VALUES ($1, $2)
		ON CONFLICT (fragment) DO UPDATE SET sealed = excluded.sealed`, f.id, f.key.Seal(b, traitsAD()))
	return err
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/seal"
)

// Outcome is what became of a call.
type Outcome string

// The outcomes.
const (
	Added      Outcome = "added"
	Seen       Outcome = "seen"       // its row or message id was stored before
	Suppressed Outcome = "suppressed" // every identifier in it is suppressed
	Refused    Outcome = "refused"    // the error says why; nothing of it was stored
)

// Result is the outcome of one call and, where it was refused, why.
type Result struct {
	Outcome Outcome
	Err     error
}

// Ingest stores calls in their order, in one commit. A refused call does not
// stop the others.
func (db *DB) Ingest(ctx context.Context, calls []ingest.Call) ([]Result, error) {
	prepared := make([][]part, len(calls))
	refused := make([]error, len(calls))
	for i, c := range calls {
		var err error
		if prepared[i], err = db.prepare(ctx, c); erasure.CodeOf(err) != "" {
			refused[i] = err
		} else if err != nil {
			return nil, err
		}
	}
	var results []Result
	err := db.write(ctx, func(t *tx) error {
		results = make([]Result, len(calls))
		for i := range calls {
			if refused[i] != nil {
				results[i] = Result{Refused, refused[i]}
				continue
			}
			o, err := t.ingestParts(prepared[i])
			if erasure.CodeOf(err) != "" && t.err == nil {
				o = Refused
			} else if err != nil {
				return err
			}
			results[i] = Result{o, err}
		}
		return t.writeReturns()
	})
	return results, err
}

// prepare normalises what a call says, outside any transaction.
func (db *DB) prepare(ctx context.Context, c ingest.Call) ([]part, error) {
	p := part{table: c.Table, source: c.Source, traits: c.Traits, record: c.Record, at: c.At.UnixMilli()}
	if c.At.IsZero() {
		p.at = db.options.Clock.Now().Wall.UnixMilli()
	}
	if c.MessageID != "" {
		digest := db.digest("message", []byte(c.Source), []byte(c.MessageID))
		p.digest = &digest
	}
	var err error
	if p.ids, err = db.prepareIDs(ctx, c.Identifiers); err != nil {
		return nil, err
	}
	switch c.Kind {
	case ingest.Alias:
		p.previous, err = db.prepareIDs(ctx, []erasure.Identifier{
			{Table: c.Table, Key: erasure.KeyUserID, Value: c.PreviousID},
			{Table: c.Table, Key: erasure.KeyAnonymousID, Value: c.PreviousID},
		})
	case ingest.Group:
		group := part{table: erasure.Group, source: c.Source, traits: c.Traits, digest: p.digest, at: p.at}
		group.ids, err = db.prepareIDs(ctx, c.GroupIdentifiers)
		p.traits = nil
		return []part{p, group}, err
	}
	return []part{p}, err
}

// part is what a call says of one profile, normalised and fingerprinted. A
// group call has two: the member's and the group's.
type part struct {
	table    erasure.Table
	source   string
	ids      []identifier // strongest first
	previous []identifier // of an alias: the ways to read its previousId
	traits   map[string]jsontext.Value
	record   []byte
	at       int64
	digest   *[16]byte // of the message id; nil where a repeat cannot be told
}

func (t *tx) ingestParts(parts []part) (Outcome, error) {
	best := Suppressed
	var told []profile
	for _, p := range parts {
		to, o, err := t.ingest(p)
		if err != nil {
			return Refused, err
		}
		if o != Suppressed {
			told = append(told, to)
		}
		if o == Added || best == Suppressed {
			best = o
		}
	}
	if len(told) == 2 {
		return best, t.addMembership(told[1], told[0])
	}
	return best, nil
}

// ingest stores one part and returns whom it is about. It refuses before it
// writes.
func (t *tx) ingest(p part) (profile, Outcome, error) {
	ids, left, err := t.collectable(p.ids)
	if err != nil {
		return profile{}, Refused, err
	}
	if len(ids) == 0 {
		t.dropped(left)
		return profile{}, Suppressed, nil
	}
	arrived, err := t.arrive(ids)
	if err != nil {
		return profile{}, Refused, err
	}
	if before, seen, err := t.seen(p.digest, arrived); err != nil || seen {
		return before, Seen, err
	}
	r, err := t.resolve(p.table, arrived)
	if err != nil {
		return profile{}, Refused, err
	}
	if err := t.withinLimit(&r, arrived); err != nil {
		return profile{}, Refused, err
	}
	previous, leftToo, err := t.collectable(p.previous)
	if err != nil {
		return profile{}, Refused, err
	}
	if len(previous) > 0 && len(previous) == len(p.previous) { // no reading of it is suppressed
		if err := t.joinAlias(&r, arrived, previous); err != nil {
			return profile{}, Refused, err
		}
	}
	if err := t.tell(r, p, arrived); err != nil {
		return profile{}, Refused, err
	}
	return r.target, Added, t.trimmed(append(left, leftToo...), r.target)
}

// seen finds the profile that a call leads to and that has had it before.
func (t *tx) seen(digest *[16]byte, arrived []arrival) (before profile, seen bool, err error) {
	if digest == nil {
		return before, false, nil
	}
	told, err := t.wereTold(arrived)
	if err != nil {
		return before, false, err
	}
	if told, err = t.withTheirs(told); err != nil {
		return before, false, err
	}
	if before, seen, err = t.hadMessage(told, *digest); err != nil || seen {
		return before, seen, err
	}
	return t.seenOverLimit(*digest, told, arrived)
}

func (t *tx) hadMessage(profiles []profile, digest [16]byte) (had profile, seen bool, err error) {
	for _, p := range profiles {
		var one int
		err := t.row(`SELECT 1 FROM fragments f JOIN messages m ON m.fragment = f.id
			WHERE f.profile = $1 AND m.digest = $2`, p.id, digest[:]).Scan(&one)
		if err == nil {
			return p, true, nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return had, false, err
		}
	}
	return had, false, nil
}

// wereTold are the profiles that a call would have been stored with, had it
// come before: that which a User ID in it leads to, and that which its
// strongest other identifier has led to since then. Where that one may be
// shared, so may the others, and all of them have led there.
func (t *tx) wereTold(arrived []arrival) (told []profile, err error) {
	others := arrived
	if arrived[0].key == effaceIDKey {
		told, others = arrived[0].found, arrived[1:]
	}
	if len(others) == 0 {
		return told, nil
	}
	led := others[0].found
	if !others[0].spec.OneProfile {
		fewest := slices.MinFunc(others, func(a, b arrival) int { return len(a.found) - len(b.found) })
		if led, err = t.leadAll(others, fewest.found); err != nil {
			return nil, err
		}
	}
	return slices.Concat(told, led), nil
}

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

// tellTraits lays new traits over the old ones. An absent trait stays.
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
	f.Traits = len(all)
	_, err = t.exec(`INSERT INTO traits (fragment, sealed) VALUES ($1, $2)
		ON CONFLICT (fragment) DO UPDATE SET sealed = excluded.sealed`, f.id, f.key.Seal(b, traitsAD()))
	return err
}

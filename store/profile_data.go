package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// ProfileData is everything that is held about somebody, as of one moment.
// What is large of it is read piece by piece, and no read stays open between
// two pieces.
type ProfileData struct {
	erasure.Profile
	db        *DB
	fragments []fragment
}

// Traits are what a source says of somebody, as it stands by now.
type Traits struct {
	Source string
	Traits json.RawMessage // null where what is stored does not open
}

// Record is an event kept about somebody.
type Record struct {
	Source  string
	At      time.Time       // by the source's clock
	Content json.RawMessage // null where what is stored does not open
}

// ProfileData opens a profile to be taken out, and logs that it was. A former
// User ID leads to the profile that it was merged into.
func (db *DB) ProfileData(ctx context.Context, actor erasure.Actor, id uuid.UUID) (*ProfileData, error) {
	l, err := db.look(ctx, id, false)
	if err != nil {
		return nil, err
	}
	if err := db.logLooks(ctx, actor, erasure.ProfileExported, []look{l}); err != nil {
		return nil, fmt.Errorf("logging the export: %w", err)
	}
	d := &ProfileData{db: db, fragments: l.fragments, Profile: l.summary}
	if d.Identifiers, err = db.openIdentifiers(ctx, l); err == nil {
		d.Merges, err = db.openMerges(ctx, l, everyMatch)
	}
	if err == nil {
		d.Groups, err = db.groups(ctx, l.profile, groupsExported)
	}
	if errors.Is(err, seal.ErrDestroyed) {
		err = errNoProfile
	}
	if err != nil {
		return nil, err
	}
	return d, d.held(ctx)
}

// held fails, as [erasure.CodeNotFound], once the profile is being erased:
// what was read before was whole if it is held after.
func (d *ProfileData) held(ctx context.Context) error {
	_, err := d.db.readProfile(ctx, d.EffaceID)
	return err
}

// Traits reads the traits of each source that gave some.
func (d *ProfileData) Traits(ctx context.Context) (all []Traits, err error) {
	for _, f := range d.fragments {
		k, err := d.key(ctx, f)
		if err != nil {
			return nil, err
		}
		var sealed []byte
		err = d.db.reads.QueryRowContext(ctx, `SELECT sealed FROM traits WHERE fragment = $1`, f.id).Scan(&sealed)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		content, err := d.open(k, f, sealed, traitsAD())
		if err != nil {
			return nil, err
		}
		all = append(all, Traits{f.Name, content})
	}
	return all, d.held(ctx)
}

// A read of records ends after so many, and after the one that makes it larger
// than so many bytes: one may have half a MiB, for the context of a whole batch
// is kept with each of its events.
const (
	recordsAtOnce     = 200
	recordBytesAtOnce = 1 << 20
)

var errReadEnough = errors.New("enough records are read")

const recordsQuery = `SELECT n, at, sealed FROM records WHERE fragment = $1 AND n > $2 AND n <= $3 ORDER BY n LIMIT $4`

// Records reads the records by source, some at a time. Those that came since
// the profile was opened are left out. It ends with an error where not all of
// them could be read, of [erasure.CodeNotFound] where the person is being
// erased meanwhile.
func (d *ProfileData) Records(ctx context.Context) iter.Seq2[[]Record, error] {
	return func(yield func([]Record, error) bool) {
		for _, f := range d.fragments {
			for last := 0; last < f.Records; {
				records, n, err := d.records(ctx, f, last)
				if err == nil {
					err = d.held(ctx)
				}
				if err == nil && len(records) == 0 {
					break
				}
				if !yield(records, err) || err != nil {
					return
				}
				last = n
			}
		}
	}
}

// records reads some records of a fragment, and the number of the last.
func (d *ProfileData) records(ctx context.Context, f fragment, after int) (records []Record, last int, err error) {
	k, err := d.key(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	rows, err := d.db.reads.QueryContext(ctx, recordsQuery, f.id, after, f.Records, recordsAtOnce)
	if err != nil {
		return nil, 0, err
	}
	size := 0
	err = eachRow(rows, func(scan func(...any) error) error {
		r := Record{Source: f.Name}
		var sealed []byte
		var at int64
		err := scan(&last, &at, &sealed)
		if err != nil {
			return err
		}
		r.At = millis(at)
		r.Content, err = d.open(k, f, sealed, recordAD(int64(last)))
		records = append(records, r)
		if size += len(r.Content); err == nil && size > recordBytesAtOnce {
			return errReadEnough
		}
		return err
	})
	if errors.Is(err, errReadEnough) {
		err = nil
	}
	return records, last, err
}

func (d *ProfileData) key(ctx context.Context, f fragment) (seal.Key, error) {
	k, err := d.db.keyring.Key(ctx, f.key)
	if errors.Is(err, seal.ErrDestroyed) {
		err = errNoProfile
	}
	return k, err
}

func (d *ProfileData) open(k seal.Key, f fragment, sealed []byte, ad seal.AD) (json.RawMessage, error) {
	b, err := k.Open(sealed, ad)
	if errors.Is(err, seal.ErrSealed) {
		d.db.log.Error("what is sealed is damaged", "fragment", f.id, "table", ad.Table)
		return json.RawMessage("null"), nil
	}
	return b, err
}

package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// activityRow is a log entry's row with what is kept beside it.
type activityRow struct {
	erasure.Activity
	entry  []byte
	key    *seal.Ref
	sealed []byte
	asked  *uuid.UUID // whom its request is about, while that profile exists
}

// Activity lists the deletion log, newest first, a page at a time. next is
// the cursor of the page after, or "" at the end. It says whom an entry was
// about for as long as that person exists.
func (db *DB) Activity(ctx context.Context, cursor string, limit int) (as []erasure.Activity, next string, err error) {
	before := int64(1) << 62
	if cursor != "" {
		if before, err = strconv.ParseInt(cursor, 10, 64); err != nil {
			return nil, "", erasure.Errorf(erasure.CodeInvalid, "Use the cursor as the page before gave it.").In("cursor")
		}
	}
	rows, err := db.activityRows(ctx, before, limit+1)
	if err != nil {
		return nil, "", err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = strconv.FormatInt(rows[limit-1].Index, 10)
	}
	names, err := db.accountNames(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, r := range rows {
		a, err := db.activity(ctx, r, names)
		if err != nil {
			return nil, "", fmt.Errorf("log entry %d: %w", r.Index, err)
		}
		as = append(as, a)
	}
	return as, next, nil
}

// A request's own key may go before the person does, a month after a cancel.
// Its row says whom it was about for as long as the profile exists.
const activityQuery = `SELECT h.idx, e.entry, s.key_row, s.key_id, s.sealed, r.efface_id FROM log_hashes h
	LEFT JOIN log_entries e ON e.idx = h.idx LEFT JOIN log_subjects s ON s.idx = h.idx
	LEFT JOIN requests r ON r.id = e.request AND r.profile IS NOT NULL
	WHERE h.idx < $1 ORDER BY h.idx DESC LIMIT $2`

func (db *DB) activityRows(ctx context.Context, before int64, limit int) (out []activityRow, err error) {
	rows, err := db.reads.QueryContext(ctx, activityQuery, before, limit)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var r activityRow
		var row *int64
		var id *[16]byte
		err := scan(&r.Index, &r.entry, &row, scanNull16(&id), &r.sealed, scanNull16(&r.asked))
		if row != nil && id != nil {
			r.key = &seal.Ref{Row: *row, ID: *id}
		}
		out = append(out, r)
		return err
	})
	return out, err
}

// activityEntry is what Activity tells of an entry's content.
type activityEntry struct {
	Time     time.Time          `json:"time"`
	Kind     erasure.Kind       `json:"kind"`
	Request  string             `json:"request"`
	From     string             `json:"from"`
	To       string             `json:"to"`
	Origin   erasure.Origin     `json:"origin"`
	Actor    string             `json:"actor"`
	Profiles []uuid.UUID        `json:"profiles"`
	Target   string             `json:"target"`
	Reason   erasure.LiftReason `json:"reason"`
}

func (r activityRow) read() (e activityEntry, err error) {
	err = json.Unmarshal(r.entry, &e)
	return e, err
}

func (db *DB) activity(ctx context.Context, r activityRow, names map[string]string) (erasure.Activity, error) {
	a := r.Activity
	if r.entry == nil {
		a.Dropped = true
		return a, nil
	}
	e, err := r.read()
	if err != nil {
		return a, err
	}
	a.Time, a.Kind, a.Origin, a.Reason = e.Time, e.Kind, e.Origin, e.Reason
	_, by, _ := strings.Cut(e.Actor, ":")
	a.Actor, a.Target = cmp.Or(names[by], e.Actor), cmp.Or(names[e.Target], e.Target)
	if e.Target != "" {
		a.FromRole, a.ToRole = erasure.Role(e.From), erasure.Role(e.To)
	}
	if id, ok := erasure.ParseRequestID(e.Request); ok {
		a.Request = &id
	}
	switch {
	case len(e.Profiles) > 0:
		a.EffaceID = &e.Profiles[0]
	case r.asked != nil:
		a.EffaceID = r.asked
	default:
		a.EffaceID = db.openSubject(ctx, r)
	}
	return a, nil
}

// openSubject reads whom an entry was about; nil once that cannot be known.
func (db *DB) openSubject(ctx context.Context, r activityRow) *uuid.UUID {
	if r.key == nil {
		return nil
	}
	k, err := db.keyring.Key(ctx, *r.key)
	if err != nil {
		return nil
	}
	b, err := k.Open(r.sealed, subjectAD(r.Index))
	if err != nil || len(b) < 32 {
		return nil
	}
	id, err := uuid.Parse(string(b[32:]))
	if err != nil {
		return nil
	}
	return &id
}

// accountNames maps the ids of operators and API keys to what they are called.
func (db *DB) accountNames(ctx context.Context) (map[string]string, error) {
	names := map[string]string{}
	rows, err := db.reads.QueryContext(ctx, `SELECT id, email FROM operators UNION ALL SELECT id, 'key:' || name FROM api_keys`)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var id uuid.UUID
		var name string
		err := scan(scan16(&id), &name)
		names[id.String()] = name
		return err
	})
	return names, err
}

// LogExport records that the deletion logs were taken away as a file.
func (db *DB) LogExport(ctx context.Context, actor erasure.Actor) error {
	return db.write(ctx, func(t *tx) error {
		t.log(erasure.Entry{Kind: erasure.LogsExported, Actor: actor})
		return nil
	})
}

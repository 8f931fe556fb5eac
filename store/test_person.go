package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// TestPersonEvery is how far test persons are apart, by the store's time.
const TestPersonEvery = 24 * time.Hour

// testSource is whom the fragments of test persons come from.
const testSource = "efface-test-person"

// PlantedPerson is a test person who is being erased.
type PlantedPerson struct {
	Request erasure.RequestID
	Values  []string // random, and known to nobody but whoever planted it
}

// TestPersons returns what became of them. It reads no file, for every page
// tells of it.
func (db *DB) TestPersons() erasure.TestPersons {
	if t := db.tests.Load(); t != nil {
		return *t
	}
	return erasure.TestPersons{}
}

func (db *DB) loadTestPersons(ctx context.Context) error {
	var t erasure.TestPersons
	err := db.reads.QueryRowContext(ctx, `SELECT passed, failed, why FROM test_persons`).Scan(scanTime(&t.Passed), scanTime(&t.Failed), &t.Why)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading what became of test persons: %w", err)
	}
	db.tests.Store(&t)
	return nil
}

// TestPersonDue reports whether a day has passed since the last test person was
// done with; the first time, since it was first asked. While claims wait for the
// clock none is due.
func (db *DB) TestPersonDue(ctx context.Context) (due bool, err error) {
	if db.Held() > 0 {
		return false, nil
	}
	var done int64
	err = db.reads.QueryRowContext(ctx, `SELECT done FROM test_persons`).Scan(&done)
	if errors.Is(err, sql.ErrNoRows) {
		return false, db.write(ctx, func(t *tx) error {
			_, err := t.exec(`INSERT INTO test_persons (n, done) VALUES (1, $1) ON CONFLICT DO NOTHING`, t.hb.Store)
			return err
		})
	}
	_, hb := db.now()
	return err == nil && hb.Store-done >= TestPersonEvery.Milliseconds(), err
}

// PlantTestPerson makes a person up and asks for their erasure without a window
// to cancel it in, in one commit. Nobody else's request is without one.
func (db *DB) PlantTestPerson(ctx context.Context) (p PlantedPerson, err error) {
	id, mailbox, name := "test-person-"+rand.Text(), rand.Text()+"@example.invalid", "Test "+rand.Text()
	p.Values = []string{id, mailbox, name}
	asked := erasure.Identifier{Table: erasure.User, Key: erasure.KeyUserID, Value: id}
	traits := map[string]jsontext.Value{"name": jsontext.Value(`"` + name + `"`)}
	parts, err := db.prepare(ctx, ingest.Call{
		Kind: ingest.Identify, Table: erasure.User, Source: testSource, Traits: traits,
		Identifiers: []erasure.Identifier{asked, {Table: erasure.User, Key: erasure.KeyEmail, Value: mailbox}},
		Record:      []byte(`{"type":"identify","userId":"` + id + `","traits":{"name":"` + name + `"}}`),
	})
	if err != nil {
		return p, err
	}
	n := erasure.NewRequest{Asked: asked, Origin: erasure.TestPerson, Actor: erasure.System, Reason: name}
	wanted, err := db.checkNew(ctx, n)
	if err != nil {
		return p, err
	}
	err = db.write(ctx, func(t *tx) error {
		t.back.without = Without{}
		if o, err := t.ingestParts(parts); err != nil || o != Added {
			return errors.Join(err, fmt.Errorf("a test person is %s", o))
		}
		r, _, err := t.requestOne(n, wanted, "")
		if err != nil {
			return err
		}
		p.Request = r.ID
		_, err = t.exec(`UPDATE requests SET due = $1, cancel_before = requested_at WHERE id = $2`, t.hb.Store, r.ID[:])
		return err
	})
	return p, err
}

// NoteTestPerson records that a test person passed, or why not.
func (db *DB) NoteTestPerson(ctx context.Context, why string) error {
	var now erasure.TestPersons
	err := db.write(ctx, func(t *tx) error {
		now = erasure.TestPersons{Passed: db.TestPersons().Passed, Why: why}
		at := millis(t.now.UnixMilli())
		var passed, failed int64
		if why == "" {
			now.Passed = at
		} else {
			now.Failed, failed = at, at.UnixMilli()
		}
		if !now.Passed.IsZero() {
			passed = now.Passed.UnixMilli()
		}
		_, err := t.exec(`INSERT INTO test_persons (n, done, passed, failed, why) VALUES (1, $1, $2, $3, $4)
			ON CONFLICT (n) DO UPDATE SET done = excluded.done, passed = excluded.passed, failed = excluded.failed, why = excluded.why`,
			t.hb.Store, passed, failed, why)
		return err
	})
	if err == nil {
		db.tests.Store(&now)
	}
	return err
}

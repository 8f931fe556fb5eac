package store

import (
	"errors"
	"fmt"

	"database/sql"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

type pendingEntry struct {
	entry erasure.Entry
	key   *seal.Key // seals the entry's subject
}

// log adds an entry that says nothing of a person to the commit.
func (t *tx) log(e erasure.Entry) { t.entries = append(t.entries, pendingEntry{entry: e}) }

// logAbout adds an entry about a value that says something of a person. Salt
// and value are kept under k, which must die with the person.
func (t *tx) logAbout(e erasure.Entry, value string, k seal.Key) {
	e.Subject = erasure.NewSubject(value)
	t.entries = append(t.entries, pendingEntry{entry: e, key: &k})
}

// writeEntries numbers the entries from what this transaction reads: another
// process may have written to the same log.
func (t *tx) writeEntries() error {
	if len(t.entries) == 0 {
		return nil
	}
	var next int64
	err := t.row(`SELECT idx + 1 FROM log_hashes ORDER BY idx DESC LIMIT 1`).Scan(&next)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("numbering log entries: %w", err)
	}
	for i, p := range t.entries {
		p.entry.Index = next + int64(i)
		p.entry.Time = t.now
		if err := t.writeEntry(p); err != nil {
			return fmt.Errorf("writing log entry %d: %w", p.entry.Index, err)
		}
	}
	return nil
}

func (t *tx) writeEntry(p pendingEntry) error {
	b, err := p.entry.Canonical()
	if err != nil {
		return err
	}
	hash := erasure.EntryHash(b)
	if _, err := t.exec(`INSERT INTO log_hashes (idx, hash) VALUES ($1, $2)`, p.entry.Index, hash[:]); err != nil {
		return err
	}
	var request []byte
	if p.entry.Request != nil {
		request = p.entry.Request[:]
	}
	_, err = t.exec(`INSERT INTO log_entries (idx, at, kind, request, entry) VALUES ($1, $2, $3, $4, $5)`,
		p.entry.Index, t.now.UnixMilli(), string(p.entry.Kind), request, b)
	if err != nil || p.key == nil {
		return err
	}
	subject := append(p.entry.Subject.Salt[:], p.entry.Subject.Value...)
	_, err = t.exec(`INSERT INTO log_subjects (idx, key_row, key_id, sealed) VALUES ($1, $2, $3, $4)`,
		p.entry.Index, p.key.Ref.Row, p.key.Ref.ID[:], p.key.Seal(subject, subjectAD(p.entry.Index)))
	return err
}

func subjectAD(index int64) seal.AD {
	return seal.AD{Table: "log_subjects", Column: "sealed", N: index}
}

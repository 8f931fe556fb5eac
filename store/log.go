package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	rows := make([]entryRow, len(t.entries))
	for i, p := range t.entries {
		p.entry.Index = next + int64(i)
		p.entry.Time = t.now
		if rows[i], err = t.entryRow(p); err != nil {
			return fmt.Errorf("writing log entry %d: %w", p.entry.Index, err)
		}
	}
	for chunk := range slices.Chunk(rows, entriesAtOnce) {
		if err := t.insertEntries(chunk); err != nil {
			return fmt.Errorf("writing the log: %w", err)
		}
	}
	return nil
}

// entryRow is an entry as it is stored.
type entryRow struct {
	index   int64
	kind    erasure.Kind
	request any
	bytes   []byte
	hash    [32]byte
}

func (t *tx) entryRow(p pendingEntry) (entryRow, error) {
	b, err := p.entry.Canonical()
	if err != nil {
		return entryRow{}, err
	}
	if p.key != nil {
		subject := append(p.entry.Subject.Salt[:], p.entry.Subject.Value...)
		_, err = t.exec(`INSERT INTO log_subjects (idx, key_row, key_id, sealed) VALUES ($1, $2, $3, $4)`,
			p.entry.Index, p.key.Ref.Row, p.key.Ref.ID[:], p.key.Seal(subject, subjectAD(p.entry.Index)))
	}
	return entryRow{p.entry.Index, p.entry.Kind, null16(p.entry.Request), b, erasure.EntryHash(b)}, err
}

// entriesAtOnce is how many entries one statement inserts. Statements of a
// batch of claims are mostly of this size, which makes the log half as dear.
const entriesAtOnce = 32

func (t *tx) insertEntries(rows []entryRow) error {
	hashes := make([]any, 0, 2*len(rows))
	entries := make([]any, 0, 5*len(rows))
	for i := range rows {
		r := &rows[i]
		hashes = append(hashes, r.index, r.hash[:])
		entries = append(entries, r.index, t.now.UnixMilli(), string(r.kind), r.request, r.bytes)
	}
	if _, err := t.exec(`INSERT INTO log_hashes (idx, hash) VALUES `+tuples(len(rows), 2), hashes...); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO log_entries (idx, at, kind, request, entry) VALUES `+tuples(len(rows), 5), entries...)
	return err
}

// tuples writes the placeholders of rows with so many columns each.
func tuples(rows, columns int) string {
	var b strings.Builder
	for n := range rows * columns {
		switch {
		case n == 0:
			b.WriteString("(")
		case n%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n + 1))
	}
	return b.String() + ")"
}

func subjectAD(index int64) seal.AD {
	return seal.AD{Table: "log_subjects", Column: "sealed", N: index}
}

package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// pendingEntry has no table where no request's state changes.
type pendingEntry struct {
	move
	key   *seal.Key // seals the entry's subject
	asked *askedFor // of a new request, for the witness
}

// log adds an entry that says nothing of a person to the commit.
func (t *tx) log(e erasure.Entry) { t.logMove(move{entry: e}) }

// logMove logs a request's change of state, which is counted with it.
func (t *tx) logMove(m move) { t.entries = append(t.entries, pendingEntry{move: m}) }

// logAbout adds an entry about a value that says something of a person. Salt
// and value are kept under k, which must die with the person.
func (t *tx) logAbout(e erasure.Entry, value string, k seal.Key) {
	t.logMoveAbout(move{entry: e}, value, k)
}

func (t *tx) logMoveAbout(m move, value string, k seal.Key) {
	m.entry.Subject = erasure.NewSubject(value)
	t.entries = append(t.entries, pendingEntry{move: m, key: &k})
}

// writeEntries numbers the entries from what this transaction reads: another
// process may have written to the same log.
func (t *tx) writeEntries() (next int64, rows []entryRow, err error) {
	if len(t.entries) == 0 {
		return 0, nil, nil
	}
	err = t.row(`SELECT idx + 1 FROM log_hashes ORDER BY idx DESC LIMIT 1`).Scan(&next)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, nil, fmt.Errorf("numbering log entries: %w", err)
	}
	rows = make([]entryRow, len(t.entries))
	for i, p := range t.entries {
		p.entry.Index = next + int64(i)
		p.entry.Time = t.now
		if rows[i], err = newEntryRow(p); err != nil {
			return 0, nil, fmt.Errorf("writing log entry %d: %w", p.entry.Index, err)
		}
		rows[i].logged = t.hb.Store
	}
	if err := t.growLog(rows); err != nil {
		return 0, nil, err
	}
	return next, rows, t.writeCounts()
}

// growLog writes the next entries, and the nodes of the tree over them.
func (t *tx) growLog(rows []entryRow) error {
	for chunk := range slices.Chunk(rows, entriesAtOnce) {
		if err := t.insertEntries(chunk); err != nil {
			return fmt.Errorf("writing the log: %w", err)
		}
	}
	leaves := make([]tlog.Hash, len(rows))
	for i := range rows {
		leaves[i] = rows[i].hash
	}
	if err := t.growTree(rows[0].index, leaves); err != nil {
		return fmt.Errorf("growing the log's tree: %w", err)
	}
	return nil
}

// entryRow is an entry as it is stored, with its sealed subject if it has one.
type entryRow struct {
	index   int64
	logged  int64 // by the store's time
	kind    erasure.Kind
	request any
	bytes   []byte // nil where the content has gone
	hash    [32]byte
	key     seal.Ref
	subject []byte
}

func newEntryRow(p pendingEntry) (r entryRow, err error) {
	r = entryRow{index: p.entry.Index, kind: p.entry.Kind, request: null16(p.entry.Request)}
	if r.bytes, err = p.entry.Canonical(); err != nil {
		return r, err
	}
	r.hash = erasure.EntryHash(r.bytes)
	if p.key != nil {
		subject := append(p.entry.Subject.Salt[:], p.entry.Subject.Value...)
		r.key, r.subject = p.key.Ref, p.key.Seal(subject, subjectAD(r.index))
	}
	return r, nil
}

// entriesAtOnce is how many entries one statement inserts. Statements of a
// batch of claims are mostly of this size, which makes the log half as dear.
const entriesAtOnce = 32

func (t *tx) insertEntries(rows []entryRow) error {
	hashes := make([]any, 0, 2*len(rows))
	entries := make([]any, 0, 5*len(rows))
	var subjects []any
	for i := range rows {
		r := &rows[i]
		if r.subject != nil {
			subjects = append(subjects, r.index, r.key.Row, r.key.ID[:], r.subject)
		}
		hashes = append(hashes, r.index, r.hash[:])
		if r.bytes != nil {
			entries = append(entries, r.index, r.logged, string(r.kind), r.request, r.bytes)
		}
	}
	if _, err := t.exec(`INSERT INTO log_hashes (idx, hash) VALUES `+tuples(len(rows), 2), hashes...); err != nil {
		return err
	}
	if len(entries) > 0 {
		if _, err := t.exec(`INSERT INTO log_entries (idx, logged, kind, request, entry) VALUES `+tuples(len(entries)/5, 5), entries...); err != nil {
			return err
		}
	}
	if len(subjects) == 0 {
		return nil
	}
	_, err := t.exec(`INSERT INTO log_subjects (idx, key_row, key_id, sealed) VALUES `+tuples(len(subjects)/4, 4), subjects...)
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

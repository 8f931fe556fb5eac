package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ahead is where an identifier led before a write began. The one writer looks
// up little: what was looked up beside it holds unless the store changed since.
type ahead struct {
	target
	matches int // two at most, which is enough to know that it is shared
}

// aheadAtOnce is how many identifiers one statement looks up. Fewer cost as much
// again for each statement; with more, SQLite goes through all of the
// statement's cursors whenever it opens one.
const aheadAtOnce = 8

// lookAhead looks up where identifiers lead, outside a write.
func (db *DB) lookAhead(ctx context.Context, asked []identifier) ([]ahead, error) {
	found := make([]ahead, len(asked))
	var rest []int
	for i, id := range asked {
		if id.key == effaceIDKey {
			var err error
			if found[i], err = db.lookAheadUserID(ctx, id); err != nil {
				return nil, err
			}
		} else if id.number != 0 { // else nobody ever had an identifier of this key
			rest = append(rest, i)
		}
	}
	for some := range slices.Chunk(rest, aheadAtOnce) {
		if err := db.lookAheadSome(ctx, asked, found, some); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (db *DB) lookAheadSome(ctx context.Context, asked []identifier, found []ahead, which []int) error {
	args := make([]any, 0, 2*len(which))
	for _, i := range which {
		args = append(args, asked[i].number, asked[i].mac[:])
	}
	query := lookAheadFullQuery
	if len(which) < aheadAtOnce {
		query = lookAheadQuery(len(which))
	}
	rows, err := db.reads.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, func(scan func(...any) error) error {
		var n int
		p, err := scanTarget(func(dest ...any) error { return scan(append([]any{&n}, dest...)...) })
		if err != nil {
			return err
		}
		s := &found[which[n]]
		s.target = p
		s.matches++
		return nil
	})
}

var lookAheadFullQuery = lookAheadQuery(aheadAtOnce)

// lookAheadQuery looks up n identifiers.
func lookAheadQuery(n int) string {
	each := make([]string, n)
	for i := range n {
		key, mac := "$"+strconv.Itoa(2*i+1), "$"+strconv.Itoa(2*i+2)
		each[i] = fmt.Sprintf(`SELECT * FROM (SELECT %d AS n, %s%s) AS s%d`, i, targetColumns, byIdentifier(key, mac, "2"), i)
	}
	return strings.Join(each, " UNION ALL ")
}

func (db *DB) lookAheadUserID(ctx context.Context, id identifier) (s ahead, err error) {
	s.target, err = scanTarget(db.reads.QueryRowContext(ctx, targetByUserIDQuery, uuidBytes(id.value)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return ahead{}, nil
	}
	if err != nil || s.table != id.table {
		return ahead{}, err
	}
	s.matches = 1
	return s, nil
}

// unchangedSince reports whether a look-up that began at a version of the store
// would give the same now, but for requests that were made since.
func (t *tx) unchangedSince(version int64) (bool, error) {
	if !t.looked { // no other program commits from BEGIN IMMEDIATE on
		var others int64
		if err := t.row(otherWritersQuery).Scan(&others); err != nil {
			return false, err
		}
		if t.looked = true; others != t.w.others {
			t.w.others = others
			t.w.version.Add(1)
		}
	}
	return !t.changed && t.w.version.Load() == version, nil
}

// statement is a prepared statement, and what it may do to a look-up.
type statement struct {
	*sql.Stmt
	reads  bool // it changes nothing
	steers bool // it may change where an identifier leads, or what is known of a profile
}

// changes finds what a statement changes.
var changes = regexp.MustCompile(`^(INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)`)

// steers reports whether a statement may change what a look-up gives: any may
// that is not known to change nothing of the kind. New requests do not, for an
// index keeps a profile from having two that are open.
func steers(query string) bool {
	m := changes.FindStringSubmatch(query)
	if m == nil {
		return true
	}
	switch m[2] {
	case "requests":
		return m[1] != "INSERT INTO"
	case "batches", "request_counts", "batch_counts", "spools", "spooled", "bulk_results", "idempotency", "suppressions", "returns",
		"merges", "refused_merges", "held_up", "over_limit", "log_entries", "log_hashes", "log_subjects", "log_nodes", "checkpoints",
		"heartbeat", "sweeps", "scrubs", "sqlite_dbpage", "erasure_checks", "check_hits", "finds", "sessions", "links", "sign_in_failures",
		"operators", "api_keys":
		return false
	}
	return true
}

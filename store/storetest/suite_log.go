package storetest

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

func dumpRows(t testing.TB, table string, rows *sql.Rows) (lines []string) {
	t.Helper()
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatalf("reading %s: %v", table, err)
	}
	cells := make([]any, len(columns))
	for rows.Next() {
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			t.Fatalf("reading %s: %v", table, err)
		}
		line := table
		for i, c := range cells {
			line += fmt.Sprintf(" %s=%x", columns[i], fmt.Sprint(*c.(*any)))
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("reading %s: %v", table, err)
	}
	return lines
}

// LogEntry is what a check reads of a log entry.
type LogEntry struct {
	Version   int             `json:"v"`
	Index     int64           `json:"index"`
	Nonce     string          `json:"nonce"`
	Kind      erasure.Kind    `json:"kind"`
	Request   string          `json:"request"`
	From      erasure.State   `json:"from"`
	To        erasure.State   `json:"to"`
	Origin    erasure.Origin  `json:"origin"`
	Reference string          `json:"reference"`
	Actor     string          `json:"actor"`
	Counts    *erasure.Counts `json:"counts"`
	Subject   string          `json:"subject"`
	Keys      []string        `json:"keys"`
	Target    string          `json:"target"`
}

// logged is what the log says of a request.
type logged struct {
	state     erasure.State
	destroyed bool
	keys      int // listed as destroyed; those of joined requests stand with the other
	origin    erasure.Origin
	reference string
}

// CheckLog replays the deletion log of a directory and compares what it says
// with the rows of requests, operators and keys (I5): indexes are dense from 0, hashes fit their
// entries, entries are canonical, each move is an allowed one from the state
// before, the rows are in the state that the log ends with, and the counts of
// them are those that were kept. It reads one snapshot, so that the store may be at work. It returns the entries.
func CheckLog(t testing.TB, dir string) []LogEntry {
	t.Helper()
	db := Raw(t, dir)
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatalf("reading the log: %v", err)
	}
	defer tx.Rollback()
	entries := readEntries(t, tx)
	checkRows(t, tx, replay(t, entries), slices.ContainsFunc(entries, func(e LogEntry) bool { return e.Kind == erasure.StoreRestored }))
	checkAccounts(t, tx, followAccounts(t, entries))
	checkCounts(t, tx)
	checkTree(t, tx)
	return entries
}

func readEntries(t testing.TB, tx *sql.Tx) (entries []LogEntry) {
	t.Helper()
	rows, err := tx.Query(`SELECT h.idx, h.hash, e.kind, e.entry FROM log_hashes h LEFT JOIN log_entries e ON e.idx = h.idx ORDER BY h.idx`)
	if err != nil {
		t.Fatalf("reading the log: %v", err)
	}
	defer rows.Close()
	nonces := map[string]bool{}
	for rows.Next() {
		var index int64
		var hash, entry []byte
		var kind string
		if err := rows.Scan(&index, &hash, &kind, &entry); err != nil {
			t.Fatalf("reading the log: %v", err)
		}
		e := checkEntry(t, entry, hash)
		if index != int64(len(entries)) || e.Index != index {
			t.Fatalf("the %dth entry has index %d, and %d in its content", len(entries), index, e.Index)
		}
		if string(e.Kind) != kind || e.Version != erasure.EntryVersion || e.Actor == "" || len(e.Nonce) != 32 || nonces[e.Nonce] {
			t.Errorf("entry %d is not one of version 1 with an actor and a nonce of its own: %s", index, entry)
		}
		nonces[e.Nonce] = true
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("reading the log: %v", err)
	}
	return entries
}

func checkEntry(t testing.TB, entry, hash []byte) (e LogEntry) {
	t.Helper()
	if want := erasure.EntryHash(entry); !bytes.Equal(want[:], hash) {
		t.Errorf("the hash %x does not fit the entry %s", hash, entry)
	}
	canonical := jsontext.Value(bytes.Clone(entry))
	if err := canonical.Canonicalize(); err != nil || !bytes.Equal(canonical, entry) {
		t.Errorf("the entry is not canonical (%v): %s", err, entry)
	}
	if err := json.Unmarshal(entry, &e); err != nil {
		t.Fatalf("reading the entry %s: %v", entry, err)
	}
	return e
}

// replay follows the requests through the log.
func replay(t testing.TB, entries []LogEntry) map[string]*logged {
	t.Helper()
	requests := map[string]*logged{}
	for _, e := range entries {
		if e.Request == "" || e.To == "" {
			continue
		}
		r := requests[e.Request]
		if r == nil {
			r = &logged{origin: e.Origin, reference: e.Reference}
			requests[e.Request] = r
		}
		same := e.Kind == erasure.KeysDestroyed && e.From == e.To
		again := e.From == erasure.Completed // by a restore alone
		if e.From != r.state || !same && !e.From.May(e.To) || again != (e.Kind == erasure.RequestReopened) {
			t.Errorf("entry %d says that %s went from %q to %q, which was %q", e.Index, e.Request, e.From, e.To, r.state)
		}
		if e.Kind == erasure.KeysDestroyed {
			if r.destroyed {
				t.Errorf("entry %d says again that the keys of %s were destroyed", e.Index, e.Request)
			}
			r.destroyed, r.keys = true, len(e.Keys)
		}
		r.state = e.To
	}
	return requests
}

func checkRows(t testing.TB, tx *sql.Tx, requests map[string]*logged, restored bool) {
	t.Helper()
	rows, err := tx.Query(`SELECT id, joined IS NOT NULL, state, origin, reference, keys_destroyed_at > 0, finished_at > 0, profile IS NOT NULL,
		asked IS NOT NULL OR reason IS NOT NULL OR key_row IS NOT NULL OR waiting IS NOT NULL,
		EXISTS (SELECT 1 FROM erasure_keys k WHERE k.request = requests.id) FROM requests`)
	if err != nil {
		t.Fatalf("reading the requests: %v", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id []byte
		var joined, destroyed, finished, profile, sealed, keys bool
		var state, origin, reference string
		if err := rows.Scan(&id, &joined, &state, &origin, &reference, &destroyed, &finished, &profile, &sealed, &keys); err != nil {
			t.Fatalf("reading the requests: %v", err)
		}
		name := erasure.RequestID(id).String()
		r := requests[name]
		delete(requests, name)
		if r == nil {
			t.Errorf("request %s is not in the log", name)
			continue
		}
		s := erasure.State(state)
		if r.state != s || string(r.origin) != origin || r.reference != reference {
			t.Errorf("request %s is %s in its row and %s in the log", name, state, r.state)
		}
		alone := restored && !joined // of one that ended since the backup, the row does not say what it was joined with
		if r.destroyed != destroyed || destroyed && !alone && joined != (r.keys == 0) {
			t.Errorf("the keys of request %s are destroyed: %v in its row, %v and %d of them in the log", name, destroyed, r.destroyed, r.keys)
		}
		if finished == s.Open() || s == erasure.Completed && (!destroyed || profile || sealed || keys) {
			t.Errorf("request %s is %s, and its row says otherwise", name, state)
		}
		lost := restored && destroyed // an older keyring need not have had them
		if !joined && !lost && keys != (s == erasure.InProgress || s == erasure.Failed) {
			t.Errorf("request %s is %s, and has keys listed to be destroyed: %v", name, state, keys)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("reading the requests: %v", err)
	}
	for name := range requests {
		t.Errorf("request %s is in the log and nowhere else", name)
	}
}

// account is what the log says of an operator or an API key.
type account struct {
	role  string // of an operator
	ended bool
	lost  bool // it may be: a restore came after it was made
}

// followAccounts follows operators and keys through the log.
func followAccounts(t testing.TB, entries []LogEntry) map[string]account {
	t.Helper()
	accounts := map[string]account{}
	for _, e := range entries {
		if e.Kind == erasure.StoreRestored {
			for target, a := range accounts {
				a.lost = true
				accounts[target] = a
			}
		}
		if e.Target == "" {
			continue
		}
		a, fits := accounts[e.Target]
		switch e.Kind {
		case erasure.OperatorCreated, erasure.KeyCreated:
			a, fits = account{role: string(e.To)}, !fits
		case erasure.RoleChanged:
			fits, a.role = a.role == string(e.From), string(e.To)
		case erasure.OperatorDisabled, erasure.KeyRevoked:
			fits, a.ended = fits && !a.ended, true
		case erasure.OperatorEnabled:
			fits, a.ended = a.ended, false
		}
		if !fits {
			t.Errorf("entry %d, %s, does not fit what the log says of %s before", e.Index, e.Kind, e.Target)
		}
		accounts[e.Target] = a
	}
	return accounts
}

func checkAccounts(t testing.TB, tx *sql.Tx, accounts map[string]account) {
	t.Helper()
	rows, err := tx.Query(`SELECT id, role, disabled FROM operators UNION ALL SELECT id, '', revoked_at > 0 FROM api_keys`)
	if err != nil {
		t.Fatalf("reading operators and keys: %v", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var is account
		if err := rows.Scan(&id, &is.role, &is.ended); err != nil {
			t.Fatalf("reading operators and keys: %v", err)
		}
		in, ok := accounts[id.String()]
		is.lost = in.lost
		if !ok || in != is {
			t.Errorf("%s is %+v in its row and %+v in the log", id, is, in)
		}
		delete(accounts, id.String())
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("reading operators and keys: %v", err)
	}
	for id, a := range accounts {
		if !a.lost {
			t.Errorf("%s is in the log and nowhere else", id)
		}
	}
}

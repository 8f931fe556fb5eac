package store_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// I5: the log is changed by nobody, except that content goes when its time
// has come.
func TestTheLogIsAppendOnly(t *testing.T) {
	d := openOnDisk(t)
	must(t, d.LogExport(t.Context(), erasure.System))
	raw := storetest.Raw(t, d.dir)
	for _, query := range []string{
		`UPDATE log_entries SET logged = 1`, `UPDATE log_hashes SET hash = x'00'`, `DELETE FROM log_hashes`, `DELETE FROM log_entries`,
		`INSERT OR REPLACE INTO log_hashes (idx, hash) VALUES (0, x'00')`,
		`REPLACE INTO log_entries (idx, logged, kind, entry) VALUES (0, 1, 'x', x'00')`,
	} {
		if _, err := raw.Exec(query); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", query, err)
		}
	}
	storetest.CheckLog(t, d.dir)
	d.clock.Advance(731 * 24 * time.Hour)
	must(t, d.Beat(t.Context()))
	if _, err := raw.Exec(`DELETE FROM log_entries`); err != nil {
		t.Errorf("content of 24 months ago: %v", err)
	}
	if _, err := raw.Exec(`DELETE FROM log_hashes`); err == nil {
		t.Error("a hash was deleted")
	}
	as, _, err := d.Activity(t.Context(), "", 10)
	if err != nil || len(as) != 1 || !as[0].Dropped {
		t.Errorf("Activity shows %+v, %v", as, err)
	}
}

// I1: no connection writes beside the store's own files or less than durably.
func TestEveryConnectionOfTheDatabaseHasTheSettings(t *testing.T) {
	db := storetest.Open(t)
	writes, reads := db.Pools()
	settings := map[string]string{"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "temp_store": "2", "mmap_size": "0",
		"recursive_triggers": "1", "foreign_keys": "1"}
	conns := []*sql.Conn{writes}
	for range reads.Stats().MaxOpenConnections {
		c, err := reads.Conn(t.Context()) // all at once, so that each is another one
		must(t, err)
		defer c.Close()
		conns = append(conns, c)
	}
	for i, c := range conns {
		for name, want := range settings {
			if got := setting(t, c, name); got != want {
				t.Errorf("connection %d: %s is %s, not %s", i, name, got, want)
			}
		}
		if got, want := setting(t, c, "query_only"), map[bool]string{true: "0", false: "1"}[i == 0]; got != want {
			t.Errorf("connection %d: query_only is %s", i, got)
		}
	}
}

func setting(t *testing.T, c *sql.Conn, name string) (value string) {
	t.Helper()
	must(t, c.QueryRowContext(t.Context(), `PRAGMA `+name).Scan(&value))
	return value
}

// indexes are those that the queries were given for.
var indexes = map[string]string{"work": "requests_due", "claim": "requests_due", "openRequest": "requests_efface_id",
	"any waiting": "requests_one_waiting", "waiting": "requests_one_waiting", "requests by reference": "requests_reference",
	"requests by state": "requests_state", "requests by origin": "requests_origin", "gone": "profiles_leads_to", "submissions": "requests_single", "single": "requests_single", "overdue": "requests_due", "due": "requests_due", "newest test": "requests_origin", "of batch": "requests_batch", "requests by batch": "requests_batch",
	"page of a user": "COVERING INDEX requests_state", "page of a group": "COVERING INDEX requests_group",
	"memberships of a user": "memberships_member", "missing": "COVERING INDEX requests_state", "held value": "fragments_profile",
	"held": "lookup_profile", "lookups": "COVERING INDEX lookup_profile", "newest": "log_entries_request", "entries": "log_entries_request"}

// What is asked often or of many rows finds them by an index.
func TestHotQueriesUseTheirIndexes(t *testing.T) {
	db := storetest.Open(t)
	for name, query := range store.HotQueries(t) {
		plan := db.QueryPlan(t, query)
		for _, step := range strings.Split(plan, "\n") {
			scanned, scans := strings.CutPrefix(step, "SCAN ")
			part := strings.Contains(plan, "CO-ROUTINE "+scanned+"\n")                    // of the query itself
			if scans && !part && scanned != "CONSTANT ROW" && name != "requests newest" { // which stops at its limit
				t.Errorf("%s reads a whole table:\n%s", name, plan)
			}
		}
		if index, ok := indexes[name]; ok && !strings.Contains(plan, index) {
			t.Errorf("%s does not use %s:\n%s", name, index, plan)
		}
	}
}

// The index holds it also against a statement that forgot to look.
func TestAUserIDHasOneOpenRequest(t *testing.T) {
	dir := t.TempDir()
	db := storetest.Open(t, storetest.InDir(dir))
	storetest.Identify(t, db, "shop", "user_id", "u1")
	first := storetest.Requested(t, db, "user_id", "u1")
	raw := storetest.Raw(t, dir)
	again := func(state string) error {
		id := erasure.NewRequestID(time.Now())
		_, err := raw.Exec(`INSERT INTO requests (id, table_, profile, efface_id, state, origin, actor_kind, actor_id, suppress, requested_at, cancel_before, due)
			SELECT $1, table_, profile, efface_id, $2, origin, actor_kind, actor_id, 0, 0, 0, 0 FROM requests WHERE id = $3`, id[:], state, first.ID[:])
		return err
	}
	for _, state := range erasure.States {
		if err := again(string(state)); (err == nil) == state.Open() {
			t.Errorf("a second request that is %s: %v", state, err)
		}
	}
}

package store_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/storetest"
)

// strays are rows that an erasure may leave behind by a mistake, in every table
// that the check asks: p is the profile, f a fragment of it, r the request.
var strays = map[string][]string{
	"profiles": {`INSERT INTO profiles (id, efface_id, table_, created_at) SELECT p, x'01', 'user', 0 FROM stray`,
		`INSERT INTO profiles (efface_id, table_, created_at, leads_to) SELECT x'01', 'user', 0, p FROM stray`},
	"claimed":   {`INSERT INTO claimed (profile) SELECT p FROM stray`},
	"fragments": {`INSERT INTO fragments (id, profile, source, key_row, key_id, first_at, last_at) SELECT f, p, 1, 1, x'01', 0, 0 FROM stray`},
	"lookup": {`INSERT INTO lookup (key, mac, profile) SELECT 1, x'01', p FROM stray`,
		`INSERT INTO lookup (key, mac, profile) SELECT number, value, p FROM stray JOIN erasure_checks ON kind = 'lookup' LIMIT 1`},
	"memberships": {`INSERT INTO memberships (group_, member) SELECT p, 999 FROM stray`, `INSERT INTO memberships (group_, member) SELECT 999, p FROM stray`},
	"refused_merges": {`INSERT INTO refused_merges (profile, other, alias) SELECT p, 999, 0 FROM stray`,
		`INSERT INTO refused_merges (profile, other, alias) SELECT 999, p, 0 FROM stray`},
	"over_limit":  {`INSERT INTO over_limit (profile, key, refused, apart, last_at) SELECT p, 1, 1, 0, 0 FROM stray`},
	"requests":    {`UPDATE requests SET asked = x'01' WHERE id = (SELECT r FROM stray)`},
	"identifiers": {`INSERT INTO identifiers (fragment, n, key, sealed) SELECT f, 1, 1, x'01' FROM stray`},
	"traits":      {`INSERT INTO traits (fragment, sealed) SELECT f, x'01' FROM stray`},
	"records":     {`INSERT INTO records (fragment, n, at, sealed) SELECT f, 1, 0, x'01' FROM stray`},
	"messages":    {`INSERT INTO messages (fragment, digest) SELECT f, x'01' FROM stray`},
	"merges":      {`INSERT INTO merges (fragment, n, at, survivor, other, key, alias, sealed) SELECT f, 1, 0, x'01', x'01', 1, 0, x'01' FROM stray`},
}

// namesNobody are the tables in which nothing of a profile stands, or that may
// keep what they have of an erased one.
const namesNobody = ` api_keys batch_counts batches bulk_results check_hits checkpoints erasure_checks erasure_keys finds heartbeat held_up
	idempotency identifier_keys links log_entries log_hashes log_nodes log_subjects operators request_counts returns schema_version scrubs
	secrets sessions sign_in_failures sources spooled spools store suppressions sweeps test_persons `

func TestTheCheckAsksEveryTableThatMayNameAProfile(t *testing.T) {
	asked := store.CheckedTables()
	for _, table := range storetest.Open(t).Tables(t) {
		if spared := slices.Contains(strings.Fields(namesNobody), table); asked[table] == spared {
			t.Errorf("table %s: asked by the check %t, said to name nobody %t", table, asked[table], spared)
		}
		if asked[table] && strays[table] == nil {
			t.Errorf("table %s: the check of it is not tested", table)
		}
	}
}

// checking is a person whose keys are destroyed and whose rows are next.
type checking struct {
	onDisk
	request erasure.Request
	raw     *sql.DB
	ring    *sql.DB
	keys    map[int64][]byte // as they were
}

func beforeDeletion(t *testing.T) checking {
	t.Helper()
	c := checking{onDisk: openOnDisk(t), keys: map[int64][]byte{}}
	tellPerson(t, c.DB, "u1", 4)
	storetest.Tell(t, c.DB, ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: "shop",
		Identifiers: storetest.Identifiers("user_id", "u1"), Traits: map[string]jsontext.Value{"city": jsontext.Value(`"Bonn"`)}})
	c.raw = storetest.Raw(t, c.dir)
	var err error
	c.ring, err = sql.Open(seal.Driver, seal.DSN(filepath.Join(c.dir, "keyring.db"), seal.DSNOptions{}))
	must(t, err)
	t.Cleanup(func() { c.ring.Close() })
	c.request = storetest.Requested(t, c.DB, "user_id", "u1")
	for _, ref := range c.NamedKeys(t) {
		var k []byte
		must(t, c.ring.QueryRow(`SELECT k FROM keys WHERE n = $1`, ref.Row).Scan(&k))
		c.keys[ref.Row] = k
	}
	must(t, second(c.raw.Exec(`CREATE TABLE stray AS SELECT p.id AS p, f.id AS f, $1 AS r FROM profiles p JOIN fragments f ON f.profile = p.id LIMIT 1`,
		c.request.ID[:])))
	c.clock.Advance(24 * time.Hour)
	must(t, second(c.ClaimDue(t.Context(), 10)))
	_, _, err = c.DestroyKeys(t.Context(), 10)
	must(t, err)
	return c
}

// failsAndRecovers finds the request failed, and completed once it is tried
// again.
func (c checking) failsAndRecovers(t *testing.T, why string, between func()) {
	t.Helper()
	if n, err := c.DeleteRowsAnd(t.Context(), between); err != nil || n != 0 {
		t.Fatalf("%d completed, %v", n, err)
	}
	r, err := c.Request(t.Context(), c.request.ID)
	if err != nil || r.State != erasure.Failed || !strings.Contains(r.LastError, why) || !r.CheckedAt.IsZero() {
		t.Errorf("the request is %s, %q, checked %v, %v", r.State, r.LastError, r.CheckedAt, err)
	}
	hits := func(want int64) {
		t.Helper()
		if n := c.Status().Hits; n != want {
			t.Errorf("%d checks found something, not %d", n, want)
		}
	}
	hits(1)
	c.DB = storetest.Open(t, storetest.InDir(c.dir), storetest.WithClock(c.clock), func(o *store.Options) { o.Serve = true })
	hits(1)
	c.clock.Advance(time.Minute)
	storetest.EraseAll(t, c.DB)
	r, err = c.Request(t.Context(), c.request.ID)
	if err != nil || r.State != erasure.Completed || r.CheckedAt.IsZero() || r.LastError != "" {
		t.Errorf("tried again the request is %s, %q, checked %v, %v", r.State, r.LastError, r.CheckedAt, err)
	}
	hits(0)
	if n := c.Count(t, `SELECT COUNT(*) FROM erasure_checks`); n != 0 {
		t.Errorf("%d rows that were set aside are left", n)
	}
	storetest.CheckLog(t, c.dir)
}

// I7: nothing is completed of which anything is left.
func TestWhatAnErasureLeftIsFoundAndGoes(t *testing.T) {
	for table, all := range strays {
		for i, query := range all {
			t.Run(fmt.Sprint(table, i), func(t *testing.T) {
				c := beforeDeletion(t)
				c.failsAndRecovers(t, "rows in the table "+table+";", func() { must(t, second(c.raw.Exec(query))) })
			})
		}
	}
}

// I2, I7: nor is anything whose key came back.
func TestAKeyThatIsNotDestroyedIsFoundAndGoes(t *testing.T) {
	c := beforeDeletion(t)
	c.failsAndRecovers(t, "a key that is not destroyed", func() {
		var row int64
		must(t, c.raw.QueryRow(`SELECT key_row FROM erasure_keys ORDER BY key_row LIMIT 1`).Scan(&row))
		must(t, second(c.ring.Exec(`UPDATE keys SET k = $1 WHERE n = $2`, c.keys[row], row)))
	})
	for row, k := range c.keys {
		var now []byte
		must(t, c.ring.QueryRow(`SELECT k FROM keys WHERE n = $1`, row).Scan(&now))
		if string(now) == string(k) && row > 0 && c.Count(t, fmt.Sprintf(`SELECT COUNT(*) FROM secrets WHERE key_row = %d`, row)) == 0 {
			t.Errorf("the key in row %d is back", row)
		}
	}
}

// The keys that were listed may be fewer than those that open what was held.
func TestASealedValueThatStillOpensIsFound(t *testing.T) {
	c := beforeDeletion(t)
	var row int64
	must(t, c.raw.QueryRow(`SELECT n FROM erasure_checks WHERE kind = 'fragment' ORDER BY number LIMIT 1`).Scan(&row))
	must(t, second(c.raw.Exec(`CREATE TABLE listed AS SELECT * FROM erasure_keys WHERE key_row = $1`, row)))
	must(t, second(c.raw.Exec(`DELETE FROM erasure_keys WHERE key_row = $1`, row)))
	must(t, second(c.ring.Exec(`UPDATE keys SET k = $1 WHERE n = $2`, c.keys[row], row)))
	if n, err := c.DeleteRowsAnd(t.Context(), func() {}); err != nil || n != 0 {
		t.Fatalf("%d completed, %v", n, err)
	}
	must(t, second(c.raw.Exec(`INSERT INTO erasure_keys SELECT * FROM listed`)))
	c.clock.Advance(time.Minute)
	storetest.EraseAll(t, c.DB)
	if got := c.state(t, c.request.ID); got != erasure.Completed {
		t.Errorf("tried again the request is %s", got)
	}
}

// Whoever is new meanwhile may be given the numbers of fragments that are gone.
func TestSomebodyNewIsNoHit(t *testing.T) {
	c := beforeDeletion(t)
	n, err := c.DeleteRowsAnd(t.Context(), func() {
		tellPerson(t, c.DB, "u1", 4)
		if c.Count(t, `SELECT COUNT(*) FROM fragments f JOIN erasure_checks c ON c.kind = 'fragment' AND c.number = f.id`) == 0 {
			t.Error("no number is used again: this test cannot fail")
		}
	})
	if err != nil || n != 1 {
		t.Errorf("%d completed, %v", n, err)
	}
	storetest.One(t, c.DB, "user_id", "u1")
}

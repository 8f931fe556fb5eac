package store_test

import (
	"database/sql/driver"
	"slices"
	"strings"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// share lets all identifiers of a key lead to so many new profiles, which have
// nothing else.
func share(t *testing.T, dir, key string, n int) {
	t.Helper()
	raw := storetest.Raw(t, dir)
	var first int64
	must(t, raw.QueryRow(`SELECT MAX(id) FROM profiles`).Scan(&first))
	must(t, second(raw.Exec(`WITH RECURSIVE more (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < $1)
		INSERT INTO profiles (id, efface_id, table_, created_at) SELECT $2 + n, randomblob(16), 'user', 0 FROM more`, n, first)))
	must(t, second(raw.Exec(`INSERT INTO lookup (key, mac, profile) SELECT l.key, l.mac, p.id FROM lookup l JOIN profiles p ON p.id > $1
		WHERE l.key = (SELECT id FROM identifier_keys WHERE name = $2)`, first, key)))
}

// A shared address must not hold the writer for minutes.
func TestACallAsksForSoManyProfilesAtMost(t *testing.T) {
	d := openOnDisk(t)
	storetest.Identify(t, d.DB, "shop", "user_id", "u1", "email", "most@example.com")
	share(t, d.dir, "email", store.BatchLimit-1)
	storetest.Identify(t, d.DB, "shop", "user_id", "u2", "phone", "+442079460000")
	share(t, d.dir, "phone", store.BatchLimit)
	every := func(asked ...string) []erasure.BatchResult {
		_, results, err := d.RequestBatch(t.Context(), erasure.NewBatch{Asked: storetest.Identifiers(asked...), EveryMatch: true, Origin: erasure.API, Actor: erasure.System})
		must(t, err)
		return results
	}
	results := every("phone", "+442079460000", "user_id", "u2", "email", "most@example.com")
	want := []erasure.BatchOutcome{erasure.Shared, erasure.Queued, erasure.Shared}
	for i, r := range results {
		if r.Outcome != want[i] || (r.Detail == "") != (want[i] == erasure.Queued) {
			t.Errorf("identifier %d: %s, %q", i, r.Outcome, r.Detail)
		}
	}
	if _, _, err := d.RequestMatches(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("phone", "+442079460000")[0],
		Origin: erasure.API, Actor: erasure.System}); erasure.CodeOf(err) != erasure.CodeShared {
		t.Errorf("a call for too many: %v", err)
	}
	if results := every("email", "most@example.com"); len(results[0].Requests) != store.BatchLimit {
		t.Errorf("in a call of its own: %d requests, %q", len(results[0].Requests), results[0].Detail)
	}
	if in, _, err := d.RequestCounts(t.Context()); err != nil || in[erasure.Pending] != store.BatchLimit+1 {
		t.Errorf("there are %d requests, %v", in[erasure.Pending], err)
	}
}

func TestACallAsksForAnIdentifierOnce(t *testing.T) {
	d := openOnDisk(t)
	storetest.Identify(t, d.DB, "shop", "user_id", "u1", "email", "a@example.com")
	share(t, d.dir, "email", 20)
	lookups := 0
	d.Statements(t, func(_ driver.Conn, query string) error {
		if strings.Contains(query, "FROM lookup l") {
			lookups++
		}
		return nil
	})
	var asked []string
	for range 1000 {
		asked = append(asked, "email", "a@example.com", "email", " A@Example.com ")
	}
	_, results, err := d.RequestBatch(t.Context(), erasure.NewBatch{Asked: storetest.Identifiers(asked...), EveryMatch: true, Origin: erasure.API, Actor: erasure.System})
	must(t, err)
	if results[0].Outcome != erasure.Queued || len(results[0].Requests) != 21 {
		t.Errorf("asked for once: %s, %d requests", results[0].Outcome, len(results[0].Requests))
	}
	for i, r := range results[1:] {
		if r.Outcome != erasure.AlreadyRequested || !slices.Equal(r.Requests, results[0].Requests) {
			t.Fatalf("asked for %d times: %s, %d requests", i+2, r.Outcome, len(r.Requests))
		}
	}
	if lookups != 1 {
		t.Errorf("it was looked up %d times", lookups)
	}
}

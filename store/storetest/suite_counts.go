package storetest

import (
	"database/sql"
	"testing"
)

// checkCounts counts requests and compares what comes of it with what their
// moves were added up to.
func checkCounts(t testing.TB, tx *sql.Tx) {
	t.Helper()
	for what, query := range map[string]string{
		"requests": `SELECT * FROM (
			SELECT table_ || ' ' || state AS name, keys_destroyed_at > 0 AS part, COUNT(*) AS counted, 0 AS last FROM requests GROUP BY 1, 2) c
			FULL JOIN (SELECT table_ || ' ' || state AS name, destroyed AS part, requests AS kept, 0 AS last FROM request_counts WHERE requests <> 0) k
			ON k.name = c.name AND k.part = c.part WHERE counted IS NOT kept`,
		"batches": `SELECT * FROM (
			SELECT hex(batch) AS name, state AS part, COUNT(*) AS counted, MAX(finished_at) AS last FROM requests WHERE batch IS NOT NULL GROUP BY 1, 2) c
			FULL JOIN (SELECT hex(batch) AS name, state AS part, requests AS kept, finished_at AS last FROM batch_counts WHERE requests <> 0) k
			ON k.name = c.name AND k.part = c.part WHERE counted IS NOT kept OR c.last IS NOT k.last`,
	} {
		rows, err := tx.Query(query)
		if err != nil {
			t.Fatalf("counting the %s: %v", what, err)
		}
		for _, line := range dumpRows(t, what, rows) {
			t.Errorf("they are counted and kept otherwise: %s", line)
		}
	}
}

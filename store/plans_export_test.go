package store

import (
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
)

// PageQuery is the one that finds a page of requests.
var PageQuery = pageQuery

// HotQueries are the queries that run for each call, page or poll.
func HotQueries(t *testing.T) map[string]string {
	t.Helper()
	queries := map[string]string{
		"lookup":      lookupQuery,
		"look ahead":  lookAheadQuery(2),
		"profile":     profileQuery,
		"fragments":   fragmentsQuery,
		"identifiers": identifiersQuery,
		"graph":       graphQuery,
		"others":      othersQuery,
		"former":      formerQuery,
		"records":     recordsQuery,
		"openRequest": openRequestQuery,
		"held value":  heldValueQuery,
		"looked":      lookedQuery,
		"matches":     matchesQuery,
		"missing":     missingQuery,
		"request":     `SELECT ` + requestColumns + requestTables + ` WHERE r.id = $1`,
		"together":    `SELECT ` + requestColumns + requestTables + ` WHERE r.id = $1 OR r.joined = $1 ORDER BY r.id`,
		"cancel":      `SELECT id FROM requests WHERE (id = $1 OR joined = $1) AND state = 'pending' AND due > $2`,
		"claim":       claimQuery,
		"keys left":   `SELECT id FROM requests WHERE` + underway + `$1 AND keys_destroyed_at = 0 ORDER BY id LIMIT $2`,
		"rows left":   `SELECT id FROM requests WHERE` + underway + `$1 AND keys_destroyed_at > 0 ORDER BY` + fewestRows(2) + ` LIMIT $3`,
		"work":        workQuery,
		"activity":    activityQuery,
		"newest":      newestEntriesQuery(2),
		"entries":     requestEntriesQuery,
		"waiting":     `SELECT 1 FROM requests r WHERE r.waiting = $1 AND r.profile IS NULL AND r.state = 'pending'`,
		"any waiting": `SELECT 1 FROM requests WHERE state = 'pending' AND waiting IS NOT NULL AND profile IS NULL LIMIT 1`,
		"gone":        `SELECT id FROM profiles WHERE id = $1 OR leads_to = $1`,
		"of profile":  `SELECT id FROM requests WHERE efface_id IN (SELECT efface_id FROM profiles WHERE id = $1 OR leads_to = $1)`,
		"batch":       batchCountsQuery,
		"nobody":      batchNobodyQuery,
		"of batch":    pendingOfBatchQuery,
		"overdue":     oldestDueQuery,
		"due":         dueQuery,
		"newest test": newestTestQuery,
		"submissions": submissionsQuery,
		"single":      singleRequestsQuery,
		"suppression": suppressionQuery,
		"suppressed":  suppressedQuery,
		"came shared": sharedSinceQuery,
		"suppressing": suppressingQuery,
		"asked anew":  togetherWithQuery,
		"all open":    openRequestsQuery,
		"all macs":    allSuppressionsQuery,
		"leaves":      hashesQuery,
		"refusals":    refusalsQuery,
		"refused":     refusedQuery,
		"held up":     heldUpQuery,
		"as one":      togetherQuery,
		"merges":      mergesQuery,
		"over limit":  overLimitQuery,
		"over before": overBeforeQuery,
		"suppress":    suppressQuery,
		"held":        heldQuery,
		"lookups":     lookupCountsQuery,
		"groups":      groupsQuery,
		"lifted":      liftedQuery,
	}
	for table, query := range deleteMemberships {
		queries["memberships of a "+string(table)] = query
	}
	for _, table := range []erasure.Table{erasure.User, erasure.Group} {
		queries["page of a "+string(table)] = pageQuery(table, 4)
	}
	now := time.Now()
	for name, f := range map[string]erasure.RequestFilter{
		"newest": {}, "by state": {State: erasure.Pending}, "by origin": {Origin: erasure.API}, "by time": {From: now, To: now},
		"after": {Cursor: erasure.NewRequestID(now).String()}, "by id": {Q: erasure.NewRequestID(now).String()},
		"by batch": {Q: erasure.NewBatchID(now).String()}, "by User ID": {Q: "6f9619ff-8b86-4011-b42d-00cf4fc964ff"}, "by reference": {Q: "T-1"},
		"by state, origin and time": {State: erasure.Pending, Origin: erasure.API, From: now},
	} {
		where, _, err := requestWhere(f)
		if err != nil {
			t.Fatal(err)
		}
		queries["requests "+name] = `SELECT ` + requestColumns + requestTables + where + ` ORDER BY r.id DESC LIMIT 51`
	}
	return queries
}

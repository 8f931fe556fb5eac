package store_test

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// rowsAtOnce is how many rows the runner deletes in one commit.
const rowsAtOnce = 4000

// I7: a person with many records goes in many commits. Others are told of,
// found and erased between them, and the request is completed with the last.
func TestManyRecordsBlockNobody(t *testing.T) {
	t.Parallel()
	d := openOnDisk(t)
	records := storetest.Scale(t, storetest.Scale(t, 1_000_000)) // a hundredth: to tell of a tenth takes a minute
	tellPerson(t, d.DB, "many", records)
	many := storetest.Requested(t, d.DB, "user_id", "many")
	d.clock.Advance(time.Second)
	tellPerson(t, d.DB, "few", 2)
	few := storetest.Requested(t, d.DB, "user_id", "few")
	if many.Records != records || many.Identifiers != 2 {
		t.Errorf("the request counts %d records and %d identifiers", many.Records, many.Identifiers)
	}
	d.clock.Advance(24 * time.Hour)
	d.costTheSame(t, many.ID, few.ID)

	raw := storetest.Raw(t, d.dir)
	started, longest := time.Now(), time.Duration(0)
	for commits := 0; ; commits++ {
		before := countRows(t, raw)
		other := make(chan time.Duration)
		go func() { other <- d.tellAnother(t, commits) }()
		_, more, err := d.DeleteRows(t.Context(), rowsAtOnce)
		must(t, err)
		longest = max(longest, <-other)
		left := countRows(t, raw)
		if before-left > rowsAtOnce {
			t.Fatalf("a commit deleted %d rows", before-left)
		}
		if d.state(t, few.ID) != erasure.Completed {
			t.Fatal("somebody with few records waits for somebody with many")
		}
		others := commits + 1 // with an identifier each
		if (d.state(t, many.ID) == erasure.Completed) != (left == others) {
			t.Fatalf("with %d rows left the request is %s", left-others, d.state(t, many.ID))
		}
		if !more {
			if commits < records*2/rowsAtOnce {
				t.Errorf("all rows went in %d commits", commits)
			}
			t.Logf("%d records went in %d commits and %s; nobody else waited longer than %s", records, commits, time.Since(started), longest)
			break
		}
	}
	if got, err := d.Request(t.Context(), many.ID); err != nil || got.State != erasure.Completed || got.Records != records || got.Identifiers != 2 {
		t.Errorf("what was erased counts %d records, %v", got.Records, err)
	}
	storetest.CheckLog(t, d.dir)
}

// Smaller erasures go first, but for an hour at most: where there are always
// more of them than can be done, somebody with many records has a turn too.
func TestNobodyIsPassedOverForEver(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "many", 40)
	many := storetest.Requested(t, d.DB, "user_id", "many").ID
	const smaller = 60
	for i := range smaller {
		user := fmt.Sprint("few", i)
		tellPerson(t, d.DB, user, 1)
		storetest.Requested(t, d.DB, "user_id", user)
		d.clock.Advance(5 * time.Minute)
	}
	d.clock.Advance(24*time.Hour - smaller*5*time.Minute)
	waited := 0
	for ; d.state(t, many) != erasure.Completed; waited++ {
		must(t, second(d.ClaimDue(t.Context(), 10)))
		_, _, err := d.DestroyKeys(t.Context(), 10)
		must(t, err)
		_, _, err = d.DeleteRows(t.Context(), store.OneRequest)
		must(t, err)
		d.clock.Advance(5 * time.Minute)
	}
	if waited < 12 || waited > smaller/2 {
		t.Errorf("somebody with many records waits for %d of %d smaller ones", waited, smaller)
	}
}

// tellAnother tells of somebody new and finds them, and returns how long that
// took.
func (d onDisk) tellAnother(t *testing.T, n int) time.Duration {
	started := time.Now()
	id := storetest.Identifiers("user_id", fmt.Sprint("other", n))
	_, err := d.Ingest(t.Context(), []ingest.Call{{Kind: ingest.Identify, Table: erasure.User, Source: "shop", Identifiers: id}})
	if err != nil {
		t.Error(err)
	}
	if found, err := d.Find(t.Context(), id[0]); err != nil || len(found) != 1 {
		t.Errorf("somebody new is found %d times, %v", len(found), err)
	}
	return time.Since(started)
}

func countRows(t *testing.T, raw *sql.DB) (n int) {
	t.Helper()
	must(t, raw.QueryRow(`SELECT (SELECT COUNT(*) FROM records) + (SELECT COUNT(*) FROM messages) + (SELECT COUNT(*) FROM identifiers)`).Scan(&n))
	return n
}

// costTheSame takes two requests, due one after the other, past their point of
// no return: with the same statements, none of which reads a record.
func (d onDisk) costTheSame(t *testing.T, ids ...erasure.RequestID) {
	t.Helper()
	var statements []string
	d.Statements(t, func(_ driver.Conn, query string) error {
		if !ofTree.MatchString(query) {
			statements = append(statements, query)
		}
		return nil
	})
	var first []string
	for i, id := range ids {
		statements = nil
		started := time.Now()
		must(t, second(d.ClaimDue(t.Context(), 1)))
		done, busy, err := d.DestroyKeys(t.Context(), 1)
		if took := time.Since(started); err != nil || done != 1 || busy || d.state(t, id) != erasure.InProgress {
			t.Fatalf("%d requests are past the point of no return, busy %v, %v", done, busy, err)
		} else {
			t.Logf("the point of no return of request %d took %s", i+1, took)
		}
		if i == 0 {
			first = statements
		} else if !slices.Equal(statements, first) {
			t.Errorf("the point of no return takes\n%q\nand for somebody else\n%q", first, statements)
		}
	}
	for _, query := range first {
		if plan := d.QueryPlan(t, query); ofRecords.MatchString(plan) {
			t.Errorf("%s depends on the number of records:\n%s", query, plan)
		}
	}
}

// ofTree are the statements that grow the log's tree: how many depends on how
// long the log is, by its logarithm, and not on whom an entry is about.
var ofTree = regexp.MustCompile(`INTO log_nodes|SELECT hash FROM log_`)

var ofRecords = regexp.MustCompile(`(SCAN|SEARCH) (records|messages)\b`)

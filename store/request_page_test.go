package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

var pendingUsers = store.RequestPage{Table: erasure.User, States: []erasure.State{erasure.Pending}, Key: "user_id", Number: 1, Size: 50}

// A page is read in the index's order, however many requests there are.
func TestNoPageOfRequestsIsSorted(t *testing.T) {
	db := storetest.Open(t)
	for _, table := range []erasure.Table{erasure.User, erasure.Group} {
		for states := range 4 {
			if plan := db.QueryPlan(t, store.PageQuery(table, states+1)); strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("a page of %d states of the table %s is sorted:\n%s", states+1, table, plan)
			}
		}
	}
}

// I8: who looked is logged with whom they saw, and what cannot be logged is
// not shown.
func TestAPageOfRequestsIsALookAtEachPersonOnIt(t *testing.T) {
	d := openOnDisk(t)
	tellPerson(t, d.DB, "u1", 2)
	storetest.Requested(t, d.DB, "email", "u1@example.com")
	operatorOf(t, d.DB, "admin@example.com", erasure.Admin)
	ann := operatorOf(t, d.DB, "ann@example.com", erasure.Staff)
	listed, _, err := d.RequestPage(t.Context(), ann, pendingUsers)
	if err != nil || len(listed) != 1 || listed[0].Value != "u1" {
		t.Fatalf("the page shows %+v, %v", listed, err)
	}
	entries := storetest.CheckLog(t, d.dir)
	last := entries[len(entries)-1]
	if last.Kind != erasure.ProfileViewed || last.Actor != ann.String() || len(last.Subject) != 64 || last.Request != listed[0].ID.String() {
		t.Errorf("the look is logged as %+v", last)
	}
	must(t, second(storetest.Raw(t, d.dir).Exec(`CREATE TRIGGER broken BEFORE INSERT ON log_entries BEGIN SELECT RAISE(ABORT, 'broken'); END`)))
	if listed, _, err := d.RequestPage(t.Context(), ann, pendingUsers); err != nil || len(listed) != 1 {
		t.Errorf("a page that was looked at before writes to the log: %+v, %v", listed, err)
	}
	d.clock.Advance(time.Hour)
	if listed, _, err := d.RequestPage(t.Context(), ann, pendingUsers); err == nil || len(listed) != 0 {
		t.Errorf("a look that cannot be logged shows %+v, %v", listed, err)
	}
}

func TestADamagedRequestDoesNotTakeItsPageAway(t *testing.T) {
	d := openOnDisk(t)
	for _, user := range []string{"u1", "u2", "u3"} {
		tellPerson(t, d.DB, user, 1)
		storetest.Requested(t, d.DB, "user_id", user)
	}
	raw := storetest.Raw(t, d.dir)
	must(t, second(raw.Exec(`UPDATE requests SET asked = x'00' WHERE id = (SELECT MIN(id) FROM requests)`)))
	must(t, second(raw.Exec(`UPDATE requests SET key_row = 1000000, key_id = zeroblob(16) WHERE id = (SELECT MAX(id) FROM requests)`)))
	listed, total, err := d.RequestPage(t.Context(), erasure.System, pendingUsers)
	if err != nil || total != 3 || len(listed) != 3 {
		t.Fatalf("the page has %d of %d requests, %v", len(listed), total, err)
	}
	if listed[0].Value != "" || listed[1].Value == "" || listed[2].Value != "" {
		t.Errorf("the page shows %q, %q and %q", listed[0].Value, listed[1].Value, listed[2].Value)
	}
}

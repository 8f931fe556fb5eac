package store_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// I2, I6: the erasure of a group goes on from wherever a crash broke it off,
// in as many commits as its members need, and no membership is left that names
// a profile which is gone.
func TestNoMembershipOutlivesEitherSide(t *testing.T) {
	t.Parallel()
	for _, crash := range []int{1, 3, 6, 1000} {
		d := openOnDisk(t)
		raw := storetest.Raw(t, d.dir)
		storetest.Members(t, d.DB, "g1", 40)
		storetest.Members(t, d.DB, "g2", 40)
		requests := []erasure.RequestID{storetest.Requested(t, d.DB, "user_id", "u7").ID, requestGroup(t, d, "g1")}
		d.clock.Advance(24 * time.Hour)
		must(t, second(d.ClaimDue(t.Context(), 10)))
		_, _, err := d.DestroyKeys(t.Context(), 10)
		must(t, err)
		for n := 1; ; n++ {
			_, more, err := d.DeleteRows(t.Context(), 8)
			must(t, err)
			if !more {
				break
			}
			if n == crash {
				d = d.again(t)
			}
			if left := membershipsOfNobody(t, raw); left != 0 {
				t.Fatalf("after %d commits %d memberships name profiles that are gone", n, left)
			}
		}
		for _, id := range requests {
			if s := d.state(t, id); s != erasure.Completed {
				t.Errorf("request %s is %s", id, s)
			}
		}
		if left := storetest.Dump(t, raw, "memberships"); len(left) != 39 { // of the others in g2
			t.Errorf("%d memberships are left: %v", len(left), left)
		}
		if left := storetest.Dump(t, raw, "profiles"); len(left) != 39+1 {
			t.Errorf("%d profiles are left", len(left))
		}
		storetest.CheckLog(t, d.dir)
	}
}

func requestGroup(t *testing.T, d onDisk, group string) erasure.RequestID {
	t.Helper()
	r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.GroupIdentifiers("group_id", group)[0], Origin: erasure.API})
	must(t, err)
	return r.ID
}

func membershipsOfNobody(t *testing.T, raw *sql.DB) (n int) {
	t.Helper()
	must(t, raw.QueryRow(`SELECT COUNT(*) FROM memberships WHERE group_ NOT IN (SELECT id FROM profiles WHERE leads_to IS NULL AND table_ = 'group')
		OR member NOT IN (SELECT id FROM profiles WHERE leads_to IS NULL AND table_ = 'user')`).Scan(&n))
	return n
}

// A merge leaves the former profile's number in no membership.
func TestAMergeMovesMemberships(t *testing.T) {
	d := openOnDisk(t)
	raw := storetest.Raw(t, d.dir)
	storetest.Join(t, d.DB, "u1", "g1")
	for _, g := range []string{"g1", "g2"} {
		storetest.Tell(t, d.DB, ingest.Call{Kind: ingest.Group, Table: erasure.User, Source: "web", Identifiers: storetest.Identifiers("anonymous_id", "a1"),
			GroupIdentifiers: storetest.GroupIdentifiers("group_id", g), GroupID: g})
	}
	storetest.Identify(t, d.DB, "web", "user_id", "u1", "anonymous_id", "a1")
	storetest.Tell(t, d.DB, ingest.Call{Kind: ingest.Group, Table: erasure.User, Source: "web", Identifiers: storetest.Identifiers("user_id", "u1"),
		GroupIdentifiers: storetest.GroupIdentifiers("hubspot_id", "h1")})
	storetest.Tell(t, d.DB, ingest.Call{Kind: ingest.Identify, Table: erasure.Group, Source: "crm", Identifiers: storetest.GroupIdentifiers("group_id", "g2", "hubspot_id", "h1")})
	if rows := storetest.Dump(t, raw, "memberships"); len(rows) != 2 || membershipsOfNobody(t, raw) != 0 {
		t.Errorf("after two merges there are %v, of nobody %d", rows, membershipsOfNobody(t, raw))
	}
}

package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// A person with a million records is shown, requested and put beyond recall at
// the cost of one with ten: none of it asks the tables that grow with them.
func TestNoRecordIsReadBeforeTheRowsAreDeleted(t *testing.T) {
	s := openOnDisk(t)
	for i := range 20 {
		storetest.Tell(t, s.DB, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: "shop", At: s.clock.Now().Wall,
			Identifiers: storetest.Identifiers("user_id", "u1", "email", "ann@example.com"), Record: []byte(`{}`), MessageID: fmt.Sprint("m", i)})
	}
	raw := storetest.Raw(t, s.dir)
	for _, table := range []string{"records", "messages"} {
		must(t, second(raw.Exec(`ALTER TABLE `+table+` RENAME TO away_`+table)))
	}
	found := storetest.One(t, s.DB, "email", "ann@example.com")
	p, err := s.Profile(t.Context(), erasure.System, found.EffaceID)
	if err != nil || p.Records != 20 || p.Sources[0].Years[s.clock.Now().Wall.Year()] != 20 {
		t.Errorf("the profile has %d records of %v, %v", p.Records, p.Sources, err)
	}
	r, _, err := s.RequestErasure(t.Context(), erasure.NewRequest{EffaceID: &p.EffaceID, Origin: erasure.Console, Actor: erasure.System, Suppress: true, Seen: &p.Seen})
	must(t, err)
	s.clock.Advance(25 * time.Hour)
	if n, err := s.ClaimDue(t.Context(), 10); err != nil || n != 1 {
		t.Fatalf("%d requests are claimed, %v", n, err)
	}
	if n, _, err := s.DestroyKeys(t.Context(), 10); err != nil || n != 1 {
		t.Fatalf("the keys of %d requests are destroyed, %v", n, err)
	}
	if _, _, err := s.DeleteRows(t.Context(), 10); err == nil {
		t.Error("rows are deleted of tables that are away")
	}
	for _, table := range []string{"records", "messages"} {
		must(t, second(raw.Exec(`ALTER TABLE away_`+table+` RENAME TO `+table)))
	}
	storetest.EraseAll(t, s.DB)
	if state := s.state(t, r.ID); state != erasure.Completed {
		t.Errorf("the request is %s", state)
	}
}

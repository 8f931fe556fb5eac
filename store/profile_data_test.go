package store_test

import (
	"bytes"
	"testing"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// However large records are, a read of them takes little memory, and all come.
func TestAReadOfRecordsIsBoundByBytes(t *testing.T) {
	db := storetest.Open(t)
	const each, all = 300 << 10, 9
	for range all {
		storetest.Tell(t, db, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: "shop",
			Identifiers: storetest.Identifiers("user_id", "u1"), Record: bytes.Repeat([]byte("1"), each)})
	}
	data, err := db.ProfileData(t.Context(), erasure.System, storetest.One(t, db, "user_id", "u1").EffaceID)
	must(t, err)
	came := 0
	for records, err := range data.Records(t.Context()) {
		must(t, err)
		size := 0
		for _, r := range records {
			size += len(r.Content)
		}
		if size > 1<<20+each {
			t.Errorf("one read gave %d bytes", size)
		}
		came += len(records)
	}
	if came != all {
		t.Errorf("%d records came, not %d", came, all)
	}
}

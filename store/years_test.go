package store_test

import (
	"os"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/storetest"
)

// A store that kept no years begins with those of its records.
func TestAnOlderStoresRecordsAreCountedByYear(t *testing.T) {
	dir := t.TempDir()
	db := storetest.Open(t, storetest.InDir(dir), func(o *store.Options) { o.Clock = store.SystemClock{} })
	now := time.Now()
	for _, at := range []time.Time{now, now, now.AddDate(-3, 0, 0), now.AddDate(1, 0, 0), now.AddDate(3, 0, 0),
		time.UnixMilli(0), time.UnixMilli(-1), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		storetest.Tell(t, db, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: "shop", At: at,
			Identifiers: storetest.Identifiers("user_id", "u1"), Record: []byte(`{}`)})
	}
	kept := storetest.One(t, db, "user_id", "u1").Sources
	script, err := os.ReadFile("migrations/0010_living.sql")
	must(t, err)
	raw := storetest.Raw(t, dir)
	must(t, second(raw.Exec(`UPDATE fragments SET years = ''`)))
	must(t, second(raw.Exec(regexp.MustCompile(`(?s)UPDATE fragments.*?;`).FindString(string(script)))))
	if counted := storetest.One(t, db, "user_id", "u1").Sources; !reflect.DeepEqual(counted, kept) || len(kept[0].Years) < 4 {
		t.Errorf("counted are %v, kept were %v", counted, kept)
	}
}

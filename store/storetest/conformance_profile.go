package storetest

import (
	"maps"
	"testing"
	"time"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// profiles is what a look at a profile says of it.
var profiles = behaviours{
	"records are counted by source and year, whatever a clock says": func(t *testing.T, d trial) {
		now := d.clock.Now().Wall
		at := func(source string, at time.Time) {
			Tell(t, d.DB, ingest.Call{Kind: ingest.Track, Table: erasure.User, Source: source, At: at,
				Identifiers: Identifiers("user_id", "u1"), Record: []byte(`{}`)})
		}
		at("shop", now)
		at("shop", now.AddDate(-3, 0, 0))
		at("shop", time.Date(now.Year(), 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600))) // in UTC, last year
		at("shop", time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC))
		at("shop", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
		at("web", now.AddDate(1, 0, 0))
		Identify(t, d.DB, "crm", "user_id", "u1")
		want := map[string]map[int]int{
			"shop": {0: 2, now.Year() - 3: 1, now.Year() - 1: 1, now.Year(): 1},
			"web":  {now.Year() + 1: 1},
			"crm":  nil,
		}
		for _, s := range One(t, d.DB, "user_id", "u1").Sources {
			if !maps.Equal(s.Years, want[s.Name]) {
				t.Errorf("%s has records of %v, want %v", s.Name, s.Years, want[s.Name])
			}
		}
	},
}

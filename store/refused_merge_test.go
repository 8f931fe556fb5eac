package store_test

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// While an older store refused a merge, the two did not count as one: each may
// have got a user_id, or many identifiers, since.
func TestAnOlderStoresRefusedMergeAsksTheRulesAgain(t *testing.T) {
	dir := t.TempDir()
	db := storetest.Open(t, storetest.InDir(dir), func(o *store.Options) { o.KeyLimit = 2 })
	raw := storetest.Raw(t, dir)
	for name, c := range map[string]struct {
		other []string
		alias bool
		stays bool // in the migration
		one   bool // after the cancel
	}{
		"nothing against it":       {[]string{"email", "a@example.com"}, false, true, true},
		"two user_ids":             {[]string{"user_id", "2 of %s"}, false, false, false},
		"two user_ids of an alias": {[]string{"user_id", "2 of %s"}, true, true, true},
		"over the limit":           {[]string{"email", "b@example.com", "email", "c@example.com"}, false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			first := "1 of " + name
			for i, id := range c.other {
				if id == "2 of %s" {
					c.other[i] = fmt.Sprintf(id, name)
				}
			}
			storetest.Identify(t, db, "shop", "user_id", first, "email", first+"@example.com")
			storetest.Identify(t, db, "shop", c.other...)
			r := storetest.Requested(t, db, "user_id", first)
			other := storetest.One(t, db, c.other[0], c.other[1]).EffaceID
			refuse := func() {
				must(t, second(raw.Exec(`INSERT INTO refused_merges (profile, other, alias) SELECT a.id, b.id, $1 FROM profiles a, profiles b
					WHERE a.efface_id = $2 AND b.efface_id = $3 ON CONFLICT DO NOTHING`, c.alias, r.EffaceID[:], other[:])))
			}
			refuse()
			script, err := os.ReadFile("migrations/0010_living.sql")
			must(t, err)
			must(t, second(raw.Exec(regexp.MustCompile(`(?s)DELETE FROM refused_merges.*?;`).FindString(string(script)))))
			var left int
			must(t, raw.QueryRow(`SELECT COUNT(*) FROM refused_merges`).Scan(&left))
			if (left == 1) != c.stays {
				t.Errorf("the migration leaves %d rows", left)
			}
			refuse()
			must(t, second(db.Cancel(t.Context(), r.ID, erasure.System, erasure.API)))
			p, err := db.PeekProfile(t.Context(), other)
			if err != nil || (p.EffaceID == *r.EffaceID) != c.one {
				t.Errorf("after the cancel %v is %v, %v", other, p.EffaceID, err)
			}
		})
	}
}

package store

import (
	"context"
	"database/sql"
	"strings"
	"sync/atomic"

	"github.com/efface/efface/store/erasure"
)

// regionCache remembers the region once it is fixed, for it never changes then.
type regionCache struct{ fixed atomic.Pointer[string] }

// Region is the ISO 3166 country that phone numbers without one are read in;
// "" is none, and none is fixed before the first use.
func (db *DB) Region(ctx context.Context) (string, error) {
	if r := db.region.fixed.Load(); r != nil {
		return *r, nil
	}
	var region sql.NullString
	if err := db.reads.QueryRowContext(ctx, `SELECT phone_region FROM store`).Scan(&region); err != nil {
		return "", err
	}
	if region.Valid {
		db.region.fixed.Store(&region.String)
	}
	return region.String, nil
}

// FixRegion fixes the region at the store's first use: it decides how numbers
// are looked up, so another one later would find nobody. The empty string
// keeps what is fixed, and fixes "none" in a new store. first says that this
// was the first use.
func (db *DB) FixRegion(ctx context.Context, region string) (first bool, err error) {
	region = strings.ToUpper(region)
	if err := erasure.CheckRegion(region); err != nil {
		return false, err
	}
	err = db.write(ctx, func(t *tx) error {
		rows, err := t.exec(`UPDATE store SET phone_region = $1 WHERE phone_region IS NULL`, region)
		first = rows > 0
		return err
	})
	if err != nil {
		return false, err
	}
	fixed, err := db.Region(ctx)
	if err != nil || region == "" || fixed == region {
		return first, err
	}
	if fixed == "" {
		return false, erasure.Errorf(erasure.CodeConflict, "This store was first used without a phone region and keeps none; leave out --phone-region.")
	}
	return false, erasure.Errorf(erasure.CodeConflict, "This store reads phone numbers as of %s since its first use; leave out --phone-region or set it to %s.", fixed, fixed)
}

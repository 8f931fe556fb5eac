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
// keeps what is fixed, and fixes "none" in a new store.
func (db *DB) FixRegion(ctx context.Context, region string) error {
	region = strings.ToUpper(region)
	if err := erasure.CheckRegion(region); err != nil {
		return err
	}
	err := db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE store SET phone_region = $1 WHERE phone_region IS NULL`, region)
		return err
	})
	if err != nil {
		return err
	}
	fixed, err := db.Region(ctx)
	if err != nil || region == "" || fixed == region {
		return err
	}
	if fixed == "" {
		return erasure.Errorf(erasure.CodeConflict, "This store was first used without a phone region and keeps none; leave out --phone-region.")
	}
	return erasure.Errorf(erasure.CodeConflict, "This store reads phone numbers as of %s since its first use; leave out --phone-region or set it to %s.", fixed, fixed)
}

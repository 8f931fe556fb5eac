package store

import (
	"context"

	"github.com/efface/efface/store/erasure"
)

const overLimitQuery = `SELECT k.name, o.refused, o.last_at FROM over_limit o JOIN identifier_keys k ON k.id = o.key
	WHERE o.profile = $1 ORDER BY o.key`

// overLimit reads what a profile did not get.
func (db *DB) overLimit(ctx context.Context, p profile) (over []erasure.OverLimit, err error) {
	rows, err := db.reads.QueryContext(ctx, overLimitQuery, p.id)
	if err != nil {
		return nil, err
	}
	return over, eachRow(rows, func(scan func(...any) error) error {
		var o erasure.OverLimit
		err := scan(&o.Key, &o.Refused, scanTime(&o.LastAt))
		over = append(over, o)
		return err
	})
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// FindLife is how long a find with several matches can be looked at again, by
// the store's time.
const FindLife = 15 * time.Minute

// KeepFind keeps the User IDs that a find led to, for one session, so that
// their page has an address without the identifier searched for.
func (db *DB) KeepFind(ctx context.Context, session uuid.UUID, matches []uuid.UUID) (id uuid.UUID, err error) {
	list, err := json.Marshal(matches)
	if err != nil {
		return uuid.Nil, err
	}
	id = uuid.New()
	return id, db.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO finds (id, session, matches, expires) VALUES ($1, $2, $3, $4)`,
			id[:], session[:], string(list), t.hb.Store+FindLife.Milliseconds())
		return err
	})
}

// KeptFind reads the User IDs of a find that this session made.
func (db *DB) KeptFind(ctx context.Context, session, id uuid.UUID) (matches []uuid.UUID, err error) {
	_, hb := db.now()
	var list []byte
	err = db.reads.QueryRowContext(ctx, `SELECT matches FROM finds WHERE id = $1 AND session = $2 AND expires > $3`,
		id[:], session[:], hb.Store).Scan(&list)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, erasure.Errorf(erasure.CodeNotFound, "Search again: this result was kept for 15 minutes only.")
	}
	if err != nil {
		return nil, fmt.Errorf("reading a find: %w", err)
	}
	if err := json.Unmarshal(list, &matches); err != nil {
		return nil, fmt.Errorf("reading a find: %w", err)
	}
	return matches, nil
}

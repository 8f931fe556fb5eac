package seal

import (
	"context"
	"database/sql"
	"errors"
)

// Second is a second look at keys that were destroyed, by a connection of its
// own that nothing was written on.
type Second struct {
	keyring *Keyring
	pool    *sql.DB
	get     *sql.Stmt
	rows    map[Ref]*row
}

// Second opens a second look.
func (k *Keyring) Second() (*Second, error) {
	pool, err := OpenPool(k.path, DSNOptions{QueryOnly: true}, 1)
	if err != nil {
		return nil, err
	}
	get, err := pool.Prepare(getKey)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &Second{keyring: k, pool: pool, get: get, rows: map[Ref]*row{}}, nil
}

// Close closes its connection.
func (s *Second) Close() error { return errors.Join(s.get.Close(), s.pool.Close()) }

// Alive reports whether the keyring holds more of a key than its id.
func (s *Second) Alive(ctx context.Context, ref Ref) (bool, error) {
	r, err := s.row(ctx, ref)
	return r != nil && !r.destroyed(), err
}

// Opens reports whether a key opens what was sealed.
func (s *Second) Opens(ctx context.Context, ref Ref, sealed []byte, a AD) (bool, error) {
	r, err := s.row(ctx, ref)
	if err != nil || r == nil {
		return false, err
	}
	unwrapped, err := r.unwrap(s.keyring.master, s.keyring.storeID)
	if err != nil { // there is nothing to open it with, which is what is hoped for
		return false, nil
	}
	key, err := newKey(ref, s.keyring.storeID, unwrapped)
	if err != nil {
		return false, err
	}
	_, err = key.Open(sealed, a)
	return err == nil, nil
}

func (s *Second) row(ctx context.Context, ref Ref) (*row, error) {
	if r, ok := s.rows[ref]; ok {
		return r, nil
	}
	var b []byte
	err := s.get.QueryRowContext(context.WithoutCancel(ctx), ref.Row).Scan(&b)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	var r *row
	if err == nil {
		if r, err = readRow(ref.Row, b); err != nil {
			return nil, err
		}
	}
	if r == nil || r.id() != ref.ID {
		if _, r, err = s.keyring.search(ctx, ref.ID); err != nil && !errors.Is(err, ErrUnknown) {
			return nil, err
		}
	}
	s.rows[ref] = r
	return r, nil
}

package seal

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
)

// walkLimit bounds a read of several rows: while it lasts, no checkpoint can
// truncate the WAL.
const walkLimit = 1000

// MaxRow returns the highest row number of the keyring, 0 where it is empty.
func (k *Keyring) MaxRow(ctx context.Context) (n int64, err error) {
	if err := k.highest.QueryRowContext(ctx).Scan(&n); err != nil {
		return 0, fmt.Errorf("read keyring: %w", err)
	}
	return n, nil
}

// Count returns how many keys the keyring holds, and how many rows of
// destroyed ones. It reads all of it, a few rows at a time.
func (k *Keyring) Count(ctx context.Context) (live, destroyed int, err error) {
	err = k.each(ctx, func(_ int64, r *row) bool {
		if r.destroyed() {
			destroyed++
		} else {
			live++
		}
		return true
	})
	return live, destroyed, err
}

// Keys lists the keys behind the row number after, in the order of rows, limit
// or 1,000 at most, and which of them are destroyed. At the end it is empty.
func (k *Keyring) Keys(ctx context.Context, after int64, limit int) (refs []Ref, destroyed []bool, err error) {
	err = k.page(ctx, after, limit, func(n int64, r *row) bool {
		refs = append(refs, Ref{n, r.id()})
		destroyed = append(destroyed, r.destroyed())
		return true
	})
	return refs, destroyed, err
}

// search finds a key by its id alone.
func (k *Keyring) search(ctx context.Context, id [idSize]byte) (Ref, *row, error) {
	var ref Ref
	var held *row
	err := k.each(ctx, func(n int64, r *row) bool {
		if r.id() == id {
			ref, held = Ref{n, id}, r
		}
		return held == nil
	})
	if err == nil && held == nil {
		err = ErrUnknown
	}
	return ref, held, err
}

// find looks for many ids in one pass. It gives the rows of those there are.
func (k *Keyring) find(ctx context.Context, ids map[[idSize]byte]bool) ([]Ref, error) {
	left := maps.Clone(ids)
	var refs []Ref
	err := k.each(ctx, func(n int64, r *row) bool {
		if id := r.id(); left[id] {
			refs = append(refs, Ref{n, id})
			delete(left, id)
		}
		return len(left) > 0
	})
	return refs, err
}

// each gives fn every row, until it returns false.
func (k *Keyring) each(ctx context.Context, fn func(n int64, r *row) bool) error {
	var last int64
	for more := true; more; {
		before := last
		err := k.page(ctx, last, walkLimit, func(n int64, r *row) bool {
			last = n
			more = fn(n, r)
			return more
		})
		if err != nil {
			return err
		}
		more = more && last > before
	}
	return nil
}

func (k *Keyring) page(ctx context.Context, after int64, limit int, fn func(n int64, r *row) bool) error {
	rows, err := k.walk.QueryContext(ctx, after, min(limit, walkLimit))
	if err != nil {
		return fmt.Errorf("read keyring: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		var b sql.RawBytes
		if err := rows.Scan(&n, &b); err != nil {
			return fmt.Errorf("read keyring: %w", err)
		}
		r, err := readRow(n, b)
		if err != nil {
			return err
		}
		if !fn(n, r) {
			return nil
		}
	}
	return rows.Err()
}

// Check opens one key that is alive, if there is one. It gives [ErrMaster]
// where the master key does not fit, or the keyring is another store's.
func (k *Keyring) Check(ctx context.Context) error {
	for after := int64(0); ; {
		refs, destroyed, err := k.Keys(ctx, after, 1000)
		if err != nil || len(refs) == 0 {
			return err
		}
		for i, ref := range refs {
			if !destroyed[i] {
				_, err := k.Key(ctx, ref)
				return err
			}
		}
		after = refs[len(refs)-1].Row
	}
}

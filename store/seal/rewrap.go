package seal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// rewrapBatch is how many rows are read, and those of them wrapped anew that
// have to be, in one commit.
const rewrapBatch = 500

// WrappedBefore opens every key that is not destroyed, and counts those that
// another than m's newest master key wraps. An error that is [ErrMaster] says
// which row m does not open.
func (k *Keyring) WrappedBefore(ctx context.Context, m Master) (n int, err error) {
	var failed error
	err = k.each(ctx, func(number int64, r *row) bool {
		_, err := r.unwrap(m, k.storeID)
		switch {
		case errors.Is(err, ErrDestroyed):
		case err != nil:
			failed = fmt.Errorf("row %d of the keyring: %w", number, err)
		case r[idSize] != m.Version():
			n++
		}
		return failed == nil
	})
	return n, errors.Join(err, failed)
}

// Rewrap wraps by m's newest master key every key that the former one wraps,
// where it stands, and goes by m from then on. tell is told the number of the
// last row that is durable. Like destroyed ones, the old bytes are gone once
// [Keyring.Truncate] has found nothing busy. Nobody else may make keys
// meanwhile, or have m's former master key alone.
func (k *Keyring) Rewrap(ctx context.Context, m Master, tell func(row int64)) error {
	k.master = m
	for last := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		next, err := k.rewrapAfter(ctx, last)
		if err != nil {
			return fmt.Errorf("wrap keys anew: %w", err)
		}
		if next == last {
			return nil
		}
		last = next
		tell(last)
	}
}

// rewrapAfter does a batch, and returns its last row. Rows are read in the
// transaction that writes them: one that was destroyed before is not brought
// back.
func (k *Keyring) rewrapAfter(ctx context.Context, after int64) (last int64, err error) {
	err = k.commit(ctx, func(tx *sql.Tx) error {
		var batch []row
		var numbers []int64
		last, batch, numbers = after, nil, nil
		err := readRows(tx, after, func(n int64, r *row) {
			last = n
			if !r.destroyed() && r[idSize] != k.master.Version() {
				batch, numbers = append(batch, *r), append(numbers, n)
			}
		})
		if err != nil {
			return err
		}
		update := tx.Stmt(k.update)
		for i := range batch {
			if err := k.rewrapOne(update, numbers[i], &batch[i]); err != nil {
				return fmt.Errorf("row %d: %w", numbers[i], err)
			}
		}
		return nil
	})
	return last, err
}

func readRows(tx *sql.Tx, after int64, fn func(n int64, r *row)) error {
	rows, err := tx.Query(walkKeys, after, rewrapBatch)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		var b sql.RawBytes
		if err := rows.Scan(&n, &b); err != nil {
			return err
		}
		r, err := readRow(n, b)
		if err != nil {
			return err
		}
		fn(n, r)
	}
	return rows.Err()
}

// Rewrapped wraps a key that [Keyring.NewWrapped] made by the newest master key.
func (k *Keyring) Rewrapped(wrapped []byte) ([]byte, error) {
	if len(wrapped) != rowSize {
		return nil, ErrMaster
	}
	r := row(wrapped)
	key, err := r.unwrap(k.master, k.storeID)
	if err != nil {
		return nil, err
	}
	r = wrap(k.master, k.storeID, r.id(), key)
	return r[:], nil
}

func (k *Keyring) rewrapOne(update *sql.Stmt, n int64, r *row) error {
	key, err := r.unwrap(k.master, k.storeID)
	if err != nil {
		return err
	}
	hit, err := overwrite(update, Ref{n, r.id()}, wrap(k.master, k.storeID, r.id(), key))
	if err == nil && !hit {
		err = errors.New("it is not where it was read") // in this transaction
	}
	return err
}

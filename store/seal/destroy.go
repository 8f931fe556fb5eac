package seal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// destroyBatch is how many keys are destroyed in one commit.
const destroyBatch = 500

// UnknownKeys says which keys were to be destroyed and are not in the keyring.
// It is an [ErrUnknown].
type UnknownKeys struct {
	Refs []Ref
}

func (e *UnknownKeys) Error() string {
	return fmt.Sprintf("%v: %d keys", ErrUnknown, len(e.Refs))
}

// Unwrap makes it an [ErrUnknown].
func (e *UnknownKeys) Unwrap() error { return ErrUnknown }

// Destroy overwrites keys with zeros where they stand, all but their ids, in
// commits of 500. No copy of them is left once [Keyring.Truncate] has found
// nothing busy. Keys destroyed before stay so. Keys that the keyring never
// held give [UnknownKeys], after all others are destroyed.
func (k *Keyring) Destroy(ctx context.Context, refs []Ref) error {
	strayed, err := k.destroyAt(ctx, refs)
	if err == nil && len(strayed) > 0 {
		err = k.destroyStrayed(ctx, strayed)
	}
	if err != nil {
		return fmt.Errorf("destroy keys: %w", err)
	}
	return nil
}

// destroyStrayed destroys keys that do not stand in the row they are said to.
func (k *Keyring) destroyStrayed(ctx context.Context, refs []Ref) error {
	ids := make(map[[idSize]byte]bool, len(refs))
	for _, r := range refs {
		ids[r.ID] = true
	}
	found, err := k.find(ctx, ids)
	if err != nil {
		return err
	}
	strayed, err := k.destroyAt(ctx, found)
	if err != nil {
		return err
	}
	if len(strayed) > 0 {
		return errors.New("a key moved in the keyring") // no statement of ours can do that
	}
	for _, r := range found {
		delete(ids, r.ID)
	}
	unknown := slices.DeleteFunc(slices.Clone(refs), func(r Ref) bool { return !ids[r.ID] })
	if len(unknown) > 0 {
		return &UnknownKeys{unknown}
	}
	return nil
}

// destroyAt destroys the keys that stand in their rows, and returns the others.
func (k *Keyring) destroyAt(ctx context.Context, refs []Ref) (strayed []Ref, err error) {
	for batch := range slices.Chunk(refs, destroyBatch) {
		err := k.commit(ctx, func(tx *sql.Tx) error {
			update := tx.Stmt(k.update)
			for _, ref := range batch {
				hit, err := overwrite(update, ref, destroyedRow(ref.ID))
				if err != nil {
					return err
				}
				if !hit {
					strayed = append(strayed, ref)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return strayed, nil
}

// overwrite binds the whole new row: || in SQL would make it a text, which
// ends at its first zero byte when it is compared.
func overwrite(update *sql.Stmt, ref Ref, r row) (hit bool, err error) {
	res, err := update.Exec(r[:], ref.Row, ref.ID[:])
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// Truncate writes the WAL back and empties it, so that nothing of what was
// overwritten is left. It waits for others 100 ms at most; where they read or
// write for longer, busy is true and it is to be called again.
func (k *Keyring) Truncate(ctx context.Context) (busy bool, err error) {
	if busy, err = Truncate(ctx, k.truncate, k.path); err != nil {
		return false, fmt.Errorf("truncate keyring: %w", err)
	}
	return busy, nil
}

// TruncateWait is for how long a pool that [Truncate] is given waits for
// others: while it does, it holds every writer up.
const TruncateWait = 100 * time.Millisecond

// Truncate writes the WAL of the database at path back and empties it, by a
// pool of its own. It reports busy as [Keyring.Truncate] does.
func Truncate(ctx context.Context, pool *sql.DB, path string) (busy bool, err error) {
	var blocked, frames, done int
	if err := pool.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&blocked, &frames, &done); err != nil {
		return false, err
	}
	if blocked != 0 {
		return true, nil
	}
	if frames != 0 {
		return false, fmt.Errorf("%d frames are left", frames)
	}
	// SQLite does not sync the truncation: a power cut could bring it back.
	return false, syncFile(path + "-wal")
}

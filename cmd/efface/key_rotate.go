package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

type rotateMaster struct{ storeFlags }

// Run implements the command.
func (c *rotateMaster) Run(ctx context.Context, p program) error {
	c.alone = true
	return c.withExisting(ctx, func(db *store.DB) error {
		var done atomic.Int64
		var bar *progress
		waiting, changed := false, false
		err := db.RotateMaster(ctx, erasure.Terminal, func(r store.Rotation) {
			switch r.Step {
			case store.NextMasterMade:
				changed = true
				bar = newProgress(p.stderr, r.Rows, &done, "keys")
			case store.KeysWrapped:
				done.Store(r.Row)
				bar.show(int(r.Row))
			case store.WaitingForReader:
				bar.clear()
				if !waiting {
					waiting = true
					fmt.Fprintln(p.stderr, "Another program reads the keyring, mostly a backup; this goes on once that ends.")
				}
			case store.OldBytesGone:
				bar.clear()
			}
		})
		if err != nil {
			return err
		}
		if !changed {
			fmt.Fprintln(p.stderr, "The change of the master key that was broken off is ended. Run this again to change it once more.")
			return nil
		}
		fmt.Fprintf(p.stderr, `The master key is changed. Copy the new one, %s, to where you keep the old one's copy: nothing opens this store without it.
Make a backup with its keyring now: a copy of the keyring from before can't be restored with the witness any more.
Destroy all copies of the old master key once the last of those copies is gone.
`, db.Options().MasterKey)
		return nil
	})
}

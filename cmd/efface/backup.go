package main

import (
	"context"
	"fmt"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

type backupCommand struct {
	storeFlags
	To        string `help:"New directory for the copy of the database and its manifest." required:"" placeholder:"DIR"`
	KeyringTo string `help:"New file for the copy of the keyring, to be kept apart and for days only; none unless given." placeholder:"FILE"`
}

// Run implements the command.
func (c *backupCommand) Run(ctx context.Context, p program) error {
	return c.withExisting(ctx, func(db *store.DB) error {
		m, err := db.Backup(ctx, erasure.Terminal, c.To, c.KeyringTo)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "Copied the database to %s: %s bytes, %s log entries.\n", c.To, thousands(int(m.Bytes)), thousands(int(m.Entries)))
		if c.KeyringTo != "" {
			fmt.Fprintf(p.stderr, "Copied the keyring to %s. Delete it within days: with it, people erased since can be read again.\n", c.KeyringTo)
		}
		return nil
	})
}

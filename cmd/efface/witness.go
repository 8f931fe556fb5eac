package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

type witnessCommand struct {
	Check   checkWitness   `cmd:"" help:"Compare every entry of the witness with the store."`
	Rebuild rebuildWitness `cmd:"" help:"Start a new witness from the store, where the old one is lost or damaged."`
}

type checkWitness struct{ storeFlags }

// Run implements the command.
func (c *checkWitness) Run(ctx context.Context, p program) error {
	return c.withExisting(ctx, func(db *store.DB) error {
		if err := db.CheckWitness(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.stdout, "The witness in %s has what the store has.\n", db.Options().Witness)
		return err
	})
}

type rebuildWitness struct{ storeFlags }

// Run implements the command.
func (c *rebuildWitness) Run(ctx context.Context, p program) error {
	if !c.hasStore() {
		return erasure.Errorf(erasure.CodeInvalid, "There is no store in %s; name its directory with --data.", c.Data)
	}
	fmt.Fprint(p.stderr, `This takes the store as it is for the truth. If it is older than its witness, what was asked for and
erased since is lost with the old witness. Type rebuild to go on: `)
	line, err := bufio.NewReader(p.stdin).ReadString('\n')
	if strings.TrimSpace(line) != "rebuild" {
		return erasure.Errorf(erasure.CodeInvalid, "Nothing was changed: rebuild was not typed.")
	}
	if err != nil {
		fmt.Fprintln(p.stderr)
	}
	c.alone = true
	o := c.options()
	o.NewWitness = true
	return withOptions(ctx, o, func(db *store.DB) error {
		fmt.Fprintf(p.stderr, "Started a new witness in %s.\n", db.Options().Witness)
		if old := db.OldWitness(); old != "" {
			fmt.Fprintf(p.stderr, "The old one's files are in %s. They hold, sealed, what was asked for: delete them once you don't need them.\n", old)
		}
		return nil
	})
}

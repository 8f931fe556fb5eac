package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/efface/efface/store"
)

type restoreCommand struct {
	storeFlags
	From           string `help:"Directory of the backup; keeps the efface.db that is there unless given." placeholder:"DIR"`
	KeyringFrom    string `help:"Copy of the keyring; keeps the keyring that is there unless given." placeholder:"FILE"`
	AcceptLoss     bool   `help:"Go on where the keyring lacks keys of people who were not erased, and delete what of them can't be read, or where the witness lacks open requests."`
	WithoutWitness bool   `help:"Go on where the witness is lost, and with it what was asked for and erased since the backup."`
	CancelWindow   span   `help:"For how long pending requests may be cancelled from now on." default:"${cancel_window}" placeholder:"DURATION"`
}

// Run implements the command.
func (c *restoreCommand) Run(ctx context.Context, p program) error {
	o := c.options()
	o.CancelWindow, o.Logger = c.CancelWindow.Duration, slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	did, err := store.RestoreBackup(ctx, o, store.Restore{From: c.From, KeyringFrom: c.KeyringFrom,
		AcceptLoss: c.AcceptLoss, WithoutWitness: c.WithoutWitness})
	if err != nil {
		return err
	}
	say := func(format string, args ...any) { fmt.Fprintf(p.stderr, format+"\n", args...) }
	if !did.MadeAt.IsZero() {
		say("Put the backup of %s in place in %s.", did.MadeAt.UTC().Format("2006-01-02 15:04 UTC"), c.Data)
	}
	if c.KeyringFrom != "" {
		say("Put the copy of the keyring in place.")
	}
	if !c.WithoutWitness {
		say("Taken from the witness: %s log entries. Requests made since: %s; cancelled or completed since: %s.",
			thousands(int(did.Entries)), thousands(did.Requests), thousands(did.Ended))
	}
	say("Keys destroyed again: %s; destroyed because nothing names them: %s.", thousands(did.Keys), thousands(did.Unnamed))
	for _, some := range []struct {
		what string
		n    int
	}{
		{"Erasures whose rows the backup brought back, which the server deletes again", did.Reopened},
		{"Sources deleted whose keys are lost", did.Lost},
		{"Sources deleted whose keys had been destroyed, as of people erased since the backup", did.Gone},
		{"Identifiers that can't be read and lead to nobody now; the lines above name whose they are: find them by another one or by the User ID, or use another backup", did.Unread},
		{"Open requests of which the witness lacks whom they are for, to be asked for again", did.Unasked},
		{"Pending requests, which may be cancelled for another " + c.CancelWindow.String(), did.Pending},
	} {
		if some.n > 0 {
			say("%s: %s.", some.what, thousands(some.n))
		}
	}
	say("Sessions and one-time links have ended: everybody signs in again, and who has no password needs a new link (efface operator reset-password).")
	say("Start efface serve.")
	return nil
}

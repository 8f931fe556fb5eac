package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

type keyCommand struct {
	Create createKey `cmd:"" help:"Make an API key and print it, alone, on stdout."`
	List   listKeys  `cmd:"" help:"List the API keys."`
	Revoke revokeKey `cmd:"" help:"End a key at once."`

	RotateMaster rotateMaster `cmd:"" help:"Make a new master key, wrap every key by it, and remove the old one."`
}

type createKey struct {
	storeFlags
	Name      string          `help:"The key's name, which the log shows." required:"" placeholder:"N"`
	Scope     []erasure.Scope `help:"What the key may do: ${scopes}." required:"" placeholder:"S"`
	Expires   *span           `help:"After how long the key ends, such as 90d; never unless given." placeholder:"DURATION"`
	AccountID string          `help:"The account id that CleverTap scripts send with the key." placeholder:"ID"`
}

// Run implements the command.
func (c *createKey) Run(ctx context.Context, p program) error {
	n := store.NewKey{Name: c.Name, Scopes: c.Scope, AccountID: c.AccountID}
	if c.Expires != nil {
		n.Expires = c.Expires.Duration
	}
	if err := n.Check(); err != nil {
		return misuse{err}
	}
	return c.withExisting(ctx, func(db *store.DB) error {
		token, k, err := db.CreateKey(ctx, erasure.Terminal, n)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "The key %s is shown this once; keep it where your script reads its secrets.\n", k.Name)
		_, err = fmt.Fprintln(p.stdout, token)
		return err
	})
}

type listKeys struct{ storeFlags }

// Run implements the command.
func (c *listKeys) Run(ctx context.Context, p program) error {
	return c.withExisting(ctx, func(db *store.DB) error {
		live, ended, err := db.Keys(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tSCOPES\tCREATED\tLAST USED\tEXPIRES\tSTATE\tID")
		for _, k := range append(live, ended...) {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Name, strings.Join(words(k.Scopes), ","), day(k.CreatedAt), day(k.LastUsed), day(k.ExpiresAt), standing(k), k.ID)
		}
		return w.Flush()
	})
}

func words(scopes []erasure.Scope) (all []string) {
	for _, s := range scopes {
		all = append(all, string(s))
	}
	return all
}

func standing(k erasure.APIKey) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked " + day(k.RevokedAt)
	case !k.EndedAt(time.Now()).IsZero():
		return "expired"
	}
	return "live"
}

// day shows a time in UTC, and a dash where there is none.
func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

type revokeKey struct {
	storeFlags
	Key string `arg:"" name:"name-or-id" help:"The key's name or id."`
}

// Run implements the command.
func (c *revokeKey) Run(ctx context.Context, p program) error {
	return c.withExisting(ctx, func(db *store.DB) error {
		if err := db.RevokeKey(ctx, erasure.Terminal, c.Key); err != nil {
			return err
		}
		fmt.Fprintln(p.stderr, "The key is revoked.")
		return nil
	})
}

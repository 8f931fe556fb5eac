package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

type operatorCommand struct {
	Create        createOperator `cmd:"" help:"Make an account; prints a one-time link unless a password is given."`
	List          listOperators  `cmd:"" help:"List the accounts."`
	Disable       disable        `cmd:"" help:"Close an account and end its sessions."`
	ResetPassword resetPassword  `cmd:"" help:"Print a one-time link that sets a new password."`
}

// linkFlags say under which address people open a one-time link.
type linkFlags struct {
	BaseURL baseURL `help:"Scheme and host under which people reach the server; those of the last server unless given." placeholder:"URL"`
}

// base is what a link begins with. Before the first server it is a guess, and
// said to be one.
func (f linkFlags) base(ctx context.Context, p program, db *store.DB) (string, error) {
	if f.BaseURL != "" {
		return string(f.BaseURL), nil
	}
	base, err := db.BaseURL(ctx)
	if err == nil && base == "" {
		base = "http://" + defaults["listen"]
		fmt.Fprintf(p.stderr, "No server has run on this store, so the link is for %s; --base-url makes it for another address.\n", base)
	}
	return base, err
}

// accountFlags name an account, by a flag as create does, or as an argument.
type accountFlags struct {
	Email   string `help:"The account's e-mail address." placeholder:"E"`
	Account string `arg:"" optional:"" name:"email" help:"The account's e-mail address."`
}

func (f accountFlags) check() error {
	if (f.Email == "") == (f.Account == "") {
		return misuse{erasure.Errorf(erasure.CodeInvalid, "Name one account, with --email.")}
	}
	return nil
}

func (f accountFlags) find(ctx context.Context, db *store.DB) (erasure.Operator, error) {
	return db.OperatorByEmail(ctx, f.Email+f.Account)
}

type createOperator struct {
	storeFlags
	linkFlags
	Email         string       `help:"The e-mail address to sign in with." required:"" placeholder:"E"`
	Role          erasure.Role `help:"What the operator may do: ${enum}." required:"" enum:"admin,operator,auditor"`
	PasswordStdin bool         `help:"Read the password, one line, from stdin."`
}

// Run implements the command.
func (c *createOperator) Run(ctx context.Context, p program) error {
	n := store.NewOperator{Email: c.Email, Role: c.Role}
	if c.PasswordStdin {
		var err error
		if n.Password, err = readPassword(p.stdin); err != nil {
			return err
		}
	}
	if err := n.Check(); err != nil {
		return misuse{err}
	}
	return p.withNew(ctx, c.storeFlags, func(db *store.DB) error {
		o, err := db.CreateOperator(ctx, erasure.Terminal, n)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "The account %s is made, with the role %s.\n", o.Email, o.Role)
		if c.PasswordStdin {
			return nil
		}
		return p.passwordLink(ctx, db, c.linkFlags, o)
	})
}

func readPassword(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 8<<10)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	password := strings.TrimRight(line, "\r\n")
	if password == "" {
		return "", erasure.Errorf(erasure.CodeInvalid, "Give the password as the first line of stdin.")
	}
	return password, nil
}

// passwordLink prints a one-time link, alone, on stdout.
func (p program) passwordLink(ctx context.Context, db *store.DB, f linkFlags, o erasure.Operator) error {
	token, until, err := db.NewLink(ctx, erasure.Terminal, store.PasswordLink, o.ID)
	if err != nil {
		return err
	}
	base, err := f.base(ctx, p, db)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "Hand this link over; it sets a password once, until %s UTC:\n", until.UTC().Format(time.DateTime))
	_, err = fmt.Fprintln(p.stdout, linkURL(base, token))
	return err
}

func linkURL(base, token string) string { return base + "/link/" + token }

type listOperators struct{ storeFlags }

// Run implements the command.
func (c *listOperators) Run(ctx context.Context, p program) error {
	return c.withExisting(ctx, func(db *store.DB) error {
		all, err := db.Operators(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "E-MAIL\tROLE\tCREATED\tLAST SIGN-IN\tSTATE\tID")
		for _, o := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", o.Email, o.Role, day(o.CreatedAt), day(o.LastSignIn), accountState(o), o.ID)
		}
		return w.Flush()
	})
}

func accountState(o erasure.Operator) string {
	switch {
	case o.Disabled:
		return "disabled"
	case !o.HasPass:
		return "waits for its link to be used"
	}
	return "active"
}

type disable struct {
	storeFlags
	accountFlags
}

// Run implements the command.
func (c *disable) Run(ctx context.Context, p program) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.withExisting(ctx, func(db *store.DB) error {
		o, err := c.find(ctx, db)
		if err != nil {
			return err
		}
		if err := db.SetDisabled(ctx, erasure.Terminal, o.ID, true); err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "The account %s is disabled and its sessions are ended.\n", o.Email)
		return nil
	})
}

type resetPassword struct {
	storeFlags
	linkFlags
	accountFlags
}

// Run implements the command.
func (c *resetPassword) Run(ctx context.Context, p program) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.withExisting(ctx, func(db *store.DB) error {
		o, err := c.find(ctx, db)
		if err != nil {
			return err
		}
		return p.passwordLink(ctx, db, c.linkFlags, o)
	})
}

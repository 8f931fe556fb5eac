package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

func (f storeFlags) options() store.Options {
	return store.Options{Dir: f.Data, MasterKey: f.MasterKey, Keyring: f.Keyring, LogKey: f.LogKey, Witness: f.Witness, Program: "efface " + version, KeyLimit: int(f.keyLimit), Alone: f.alone}
}

// withExisting is with for commands that make nothing: a directory without a
// store is a mistake in its name, which a new store would hide.
func (f storeFlags) withExisting(ctx context.Context, do func(*store.DB) error) error {
	if !f.hasStore() {
		return erasure.Errorf(erasure.CodeInvalid, "There is no store in %s; name its directory with --data.", f.Data)
	}
	return f.with(ctx, do)
}

// withNew is with for commands that may be a store's first use. They say when
// they made it: its directory may have been mistyped.
func (p program) withNew(ctx context.Context, f storeFlags, do func(*store.DB) error) error {
	there := f.hasStore()
	return f.with(ctx, func(db *store.DB) error {
		if !there {
			fmt.Fprintf(p.stderr, "Made a new store in %s.\n", f.Data)
		}
		return do(db)
	})
}

func (f storeFlags) hasStore() bool {
	_, err := os.Stat(filepath.Join(f.Data, "efface.db"))
	return !errors.Is(err, fs.ErrNotExist)
}

// fixRegion fixes the phone region at the store's first use, and says where
// that leaves it without one for good.
func (p program) fixRegion(ctx context.Context, db *store.DB, region string) error {
	first, err := db.FixRegion(ctx, region)
	if err == nil && first && region == "" {
		fmt.Fprintln(p.stderr, "Without --phone-region, phone numbers in this store need their country code; this can't be changed later.")
	}
	return err
}

// with opens the store for one command beside a server, and closes it.
func (f storeFlags) with(ctx context.Context, do func(*store.DB) error) error {
	return withOptions(ctx, f.options(), do)
}

func withOptions(ctx context.Context, o store.Options, do func(*store.DB) error) error {
	db, err := store.Open(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(db.Explain(do(db)), db.Close())
}

package main

import (
	"context"
	"errors"

	"github.com/efface/efface/store"
)

func (f storeFlags) options() store.Options {
	return store.Options{Dir: f.Data, MasterKey: f.MasterKey, Keyring: f.Keyring}
}

// with opens the store for one command beside a server, and closes it.
func (f storeFlags) with(ctx context.Context, do func(*store.DB) error) error {
	db, err := store.Open(ctx, f.options())
	if err != nil {
		return err
	}
	return errors.Join(db.Explain(do(db)), db.Close())
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// secrets are the store's own keys. Each kind of fingerprint has its own, so
// that no look-up fingerprint outlives its profile under another name.
type secrets struct {
	lookup      seal.Key
	suppression seal.Key
	waiting     seal.Key
	digests     seal.Key
}

func (db *DB) loadSecrets(ctx context.Context) error {
	for name, key := range map[string]*seal.Key{
		"lookup":      &db.secrets.lookup,
		"suppression": &db.secrets.suppression,
		"waiting":     &db.secrets.waiting,
		"digest":      &db.secrets.digests,
	} {
		var err error
		if *key, err = db.secret(ctx, name); err != nil {
			return fmt.Errorf("reading the %s key: %w", name, err)
		}
	}
	return nil
}

// secret reads one of the store's own keys and makes it where there is none.
// Where two programs make it at once, the first one's stays.
func (db *DB) secret(ctx context.Context, name string) (seal.Key, error) {
	var made []seal.Key
	var ref seal.Ref
	read := func() error {
		return db.reads.QueryRowContext(ctx, `SELECT key_row, key_id FROM secrets WHERE name = $1`, name).
			Scan(&ref.Row, scan16(&ref.ID))
	}
	err := read()
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return seal.Key{}, err
	}
	if err != nil {
		if made, err = db.keyring.Make(ctx, 1); err != nil {
			return seal.Key{}, err
		}
		err = db.write(ctx, func(t *tx) error {
			_, err := t.exec(`INSERT INTO secrets (name, key_row, key_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
				name, made[0].Ref.Row, made[0].Ref.ID[:])
			return err
		})
		if err != nil {
			return seal.Key{}, err
		}
		if err := read(); err != nil {
			return seal.Key{}, err
		}
	}
	return db.keyring.Key(ctx, ref)
}

// fingerprint makes the keyed fingerprint of a normalised identifier.
func fingerprint(k seal.Key, table erasure.Table, key, value string) [16]byte {
	return k.MAC([]byte(table), []byte(key), []byte{erasure.NormaliserVersion}, []byte(value))
}

// digest makes a keyed digest of what may be personal: message ids, request
// bodies, addresses that sign in.
func (db *DB) digest(purpose string, parts ...[]byte) [16]byte {
	return db.secrets.digests.MAC(append([][]byte{[]byte(purpose)}, parts...)...)
}

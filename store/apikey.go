package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
)

// keyPrefix lets scanners for leaked secrets know a key of Efface.
const keyPrefix = "efk_"

const nameLength = 64

// NewKey is an API key to be made.
type NewKey struct {
	Name      string
	Scopes    []erasure.Scope
	AccountID string        // of a CleverTap key, and of no other
	Expires   time.Duration // from now; zero is never
}

// Check says what is wrong with a key before it is made.
func (n NewKey) Check() error {
	switch {
	case n.Name == "" || utf8.RuneCountInString(n.Name) > nameLength || !plain(n.Name):
		return erasure.Errorf(erasure.CodeInvalid, "Give the key a name of 1 to %d visible characters.", nameLength).In("name")
	case len(n.Scopes) == 0:
		return erasure.Errorf(erasure.CodeInvalid, "Choose at least one scope.").In("scope")
	case n.Expires < 0:
		return erasure.Errorf(erasure.CodeInvalid, "Choose an expiry that is not past.").In("expires")
	}
	for _, s := range n.Scopes {
		if !slices.Contains(erasure.Scopes, s) {
			return erasure.Errorf(erasure.CodeInvalid, "Choose scopes from these: %s.", joinScopes(erasure.Scopes, ", ")).In("scope")
		}
	}
	clevertap := slices.Contains(n.Scopes, erasure.ScopeCleverTap)
	switch {
	case clevertap && n.AccountID == "":
		return erasure.Errorf(erasure.CodeInvalid, "Give the account id that CleverTap scripts send with the passcode.").In("account_id")
	case !clevertap && n.AccountID != "":
		return erasure.Errorf(erasure.CodeInvalid, "Leave the account id out: only a key of the scope clevertap has one.").In("account_id")
	case len(n.AccountID) > nameLength || !plain(n.AccountID):
		return erasure.Errorf(erasure.CodeInvalid, "Give an account id of at most %d visible characters.", nameLength).In("account_id")
	}
	return nil
}

// plain reports whether s shows as what it is.
func plain(s string) bool {
	return utf8.ValidString(s) && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return r != ' ' && !unicode.IsGraphic(r) || unicode.Is(unicode.Zs, r) && r != ' ' })
}

// CreateKey makes an API key. token is the key itself, which nothing can show
// again.
func (db *DB) CreateKey(ctx context.Context, actor erasure.Actor, n NewKey) (token string, k erasure.APIKey, err error) {
	if err := n.Check(); err != nil {
		return "", k, err
	}
	scopes := slices.Compact(slices.Sorted(slices.Values(n.Scopes)))
	err = db.write(ctx, func(t *tx) error {
		if _, err := t.stands(actor, erasure.Admin); err != nil {
			return err
		}
		token = keyPrefix + newToken()
		k = erasure.APIKey{ID: uuid.New(), Name: n.Name, Scopes: scopes, AccountID: n.AccountID, CreatedAt: t.now.UTC()}
		var expires int64
		if n.Expires > 0 {
			k.ExpiresAt = k.CreatedAt.Add(n.Expires)
			expires = k.ExpiresAt.UnixMilli()
		}
		rows, err := t.exec(`INSERT INTO api_keys (id, name, hash, scopes, account_id, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
			k.ID[:], k.Name, tokenHash(token), joinScopes(scopes, ","), k.AccountID, t.now.UnixMilli(), expires)
		if err != nil {
			return fmt.Errorf("creating an API key: %w", err)
		}
		if rows == 0 {
			return erasure.Errorf(erasure.CodeConflict, "Choose another name, or revoke the key that has this one.").In("name")
		}
		t.log(erasure.Entry{Kind: erasure.KeyCreated, Actor: actor, Target: &k.ID})
		return nil
	})
	return token, k, err
}

func joinScopes(scopes []erasure.Scope, between string) string {
	var words []string
	for _, s := range scopes {
		words = append(words, string(s))
	}
	return strings.Join(words, between)
}

const keyColumns = `id, name, scopes, account_id, created_at, expires_at, revoked_at, last_used`

func scanKey(scan func(...any) error) (k erasure.APIKey, err error) {
	var scopes string
	err = scan(scan16(&k.ID), &k.Name, &scopes, &k.AccountID, scanTime(&k.CreatedAt), scanTime(&k.ExpiresAt),
		scanTime(&k.RevokedAt), scanTime(&k.LastUsed))
	for s := range strings.SplitSeq(scopes, ",") {
		k.Scopes = append(k.Scopes, erasure.Scope(s))
	}
	return k, err
}

// endedShown is how many keys that open nothing any more are listed.
const endedShown = 50

// Keys lists the live API keys by name, and those that were revoked or have
// expired, the newest end first, no more than 50 of them.
func (db *DB) Keys(ctx context.Context) (live, ended []erasure.APIKey, err error) {
	now, _ := db.now()
	if live, err = db.keysWhere(ctx, `revoked_at = 0 AND (expires_at = 0 OR expires_at > $1) ORDER BY name`, now.UnixMilli()); err != nil {
		return nil, nil, err
	}
	ended, err = db.keysWhere(ctx, `revoked_at <> 0 OR expires_at <> 0 AND expires_at <= $1
		ORDER BY CASE revoked_at WHEN 0 THEN expires_at ELSE revoked_at END DESC, name LIMIT $2`, now.UnixMilli(), endedShown)
	return live, ended, err
}

func (db *DB) keysWhere(ctx context.Context, where string, args ...any) (all []erasure.APIKey, err error) {
	rows, err := db.reads.QueryContext(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("listing API keys: %w", err)
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		k, err := scanKey(scan)
		all = append(all, k)
		return err
	})
	return all, err
}

// Key reads a key that can be revoked: one that has expired keeps its name
// until then.
func (db *DB) Key(ctx context.Context, id uuid.UUID) (erasure.APIKey, error) {
	found, err := db.keysWhere(ctx, `revoked_at = 0 AND id = $1`, id[:])
	switch {
	case err != nil:
		return erasure.APIKey{}, err
	case len(found) == 0:
		return erasure.APIKey{}, errNoSuchKey
	}
	return found[0], nil
}

var errNoSuchKey = erasure.Errorf(erasure.CodeNotFound, "There is no such key to revoke: look at the list of keys.")

var errNoKey = erasure.Errorf(erasure.CodeUnauthorized, "Give a key that is neither revoked nor expired.")

// KeyByToken reads the live key that a script presented, by one look at an
// index, and notes that it was used: see [DB.FlushKeyUse].
func (db *DB) KeyByToken(ctx context.Context, token string) (erasure.APIKey, error) {
	if !strings.HasPrefix(token, keyPrefix) {
		return erasure.APIKey{}, errNoKey
	}
	now, _ := db.now()
	k, err := scanKey(db.reads.QueryRowContext(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE hash = $1`, tokenHash(token)).Scan)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !k.EndedAt(now).IsZero() {
		return erasure.APIKey{}, errNoKey
	}
	if err != nil {
		return erasure.APIKey{}, fmt.Errorf("reading an API key: %w", err)
	}
	db.used.note(k, now)
	return k, nil
}

// RevokeKey ends a live key, named by its id or else by its name, at once.
func (db *DB) RevokeKey(ctx context.Context, actor erasure.Actor, nameOrID string) error {
	id, err := uuid.Parse(nameOrID)
	if err != nil {
		id = uuid.Nil
	}
	return db.write(ctx, func(t *tx) error {
		if _, err := t.stands(actor, erasure.Admin); err != nil {
			return err
		}
		var revoked uuid.UUID
		err := t.row(`UPDATE api_keys SET revoked_at = $1 WHERE revoked_at = 0 AND id = (SELECT id FROM api_keys
				WHERE revoked_at = 0 AND (id = $2 OR name = $3) ORDER BY id = $2 DESC LIMIT 1) RETURNING id`,
			t.now.UnixMilli(), id[:], nameOrID).Scan(scan16(&revoked))
		if errors.Is(err, sql.ErrNoRows) {
			return t.notRevocable(id, nameOrID)
		}
		if err != nil {
			return fmt.Errorf("revoking an API key: %w", err)
		}
		delete(t.callers, revoked)
		t.log(erasure.Entry{Kind: erasure.KeyRevoked, Actor: actor, Target: &revoked})
		return nil
	})
}

// notRevocable says why no live key has that id or name.
func (t *tx) notRevocable(id uuid.UUID, nameOrID string) error {
	var called string
	var at time.Time
	err := t.row(`SELECT name, revoked_at FROM api_keys WHERE id = $1 OR name = $2 ORDER BY id = $1 DESC, revoked_at DESC LIMIT 1`,
		id[:], nameOrID).Scan(&called, scanTime(&at))
	if errors.Is(err, sql.ErrNoRows) {
		return errNoSuchKey
	}
	if err != nil {
		return fmt.Errorf("looking for a revoked API key: %w", err)
	}
	return erasure.Errorf(erasure.CodeNotFound, "The key %s was revoked already, at %s UTC.", called, at.Format(time.DateTime))
}

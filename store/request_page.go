package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// RequestPage chooses requests of one table by the number of their page.
type RequestPage struct {
	Table  erasure.Table
	States []erasure.State // one at least
	Key    string          // whose value is shown of each request
	Number int             // from 1
	Size   int
}

// ListedRequest is a request with the value of its page's key: the one asked
// for or, where it was asked for by another key, one that the profile holds. It
// is empty where there is none, and once it is erased.
type ListedRequest struct {
	erasure.Request
	Value string
}

// RequestPage lists requests, newest first, and tells how many there are on all
// pages. Each person of whom it shows a value was looked at; the looks are
// logged in one commit before anything is shown, but for those that the log
// tells of already: see [lookLife]. The error is
// [erasure.CodeUnauthorized] or [erasure.CodeForbidden] for an actor who may no
// longer look.
func (db *DB) RequestPage(ctx context.Context, actor erasure.Actor, p RequestPage) (listed []ListedRequest, total int, err error) {
	if total, err = db.countPage(ctx, p); err != nil || p.Number-1 > total/p.Size {
		return nil, total, err
	}
	found, err := db.pageRows(ctx, p)
	if err != nil {
		return nil, 0, err
	}
	number, err := db.keyNumber(ctx, p.Table, p.Key)
	if err != nil {
		return nil, 0, err
	}
	var looks []requestLook
	for _, r := range found {
		value, k, err := db.openValue(ctx, r, p.Key, number)
		if err != nil {
			return nil, 0, err
		}
		listed = append(listed, ListedRequest{r.Request, value})
		if value != "" {
			looks = append(looks, requestLook{r, k})
		}
	}
	if err := db.lookAtRequests(ctx, actor, looks); err != nil {
		return nil, 0, fmt.Errorf("logging the looks: %w", err)
	}
	return listed, total, nil
}

func (db *DB) countPage(ctx context.Context, p RequestPage) (total int, err error) {
	rows, err := db.reads.QueryContext(ctx, `SELECT state, requests FROM request_counts WHERE table_ = $1`, string(p.Table))
	if err != nil {
		return 0, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		var state string
		var n int
		err := scan(&state, &n)
		if slices.Contains(p.States, erasure.State(state)) {
			total += n
		}
		return err
	})
	return total, err
}

func (db *DB) pageRows(ctx context.Context, p RequestPage) (found []request, err error) {
	args := append(p.states(), p.Size, (p.Number-1)*p.Size)
	_, hb := db.now()
	rows, err := db.reads.QueryContext(ctx, pageQuery(p.Table, len(p.States)), args...)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(scan func(...any) error) error {
		r, err := db.scanRequest(scan, hb)
		found = append(found, r)
		return err
	})
	return found, err
}

func (p RequestPage) states() (args []any) {
	for _, s := range p.States {
		args = append(args, string(s))
	}
	return args
}

// ofTable chooses a table's requests. The names are written out, for the index
// of groups' requests is found by them.
func ofTable(table erasure.Table) string {
	if table == erasure.Group {
		return `table_ = 'group'`
	}
	return `table_ = 'user'`
}

// pageQuery finds a page's ids in the index, which has those of each state in
// their order. UNION ALL merges them; a list of states after IN would have all
// of them sorted.
func pageQuery(table erasure.Table, states int) string {
	var ids strings.Builder
	for n := range states {
		if n > 0 {
			ids.WriteString(` UNION ALL `)
		}
		fmt.Fprintf(&ids, `SELECT id FROM requests WHERE %s AND state = $%d`, ofTable(table), n+1)
	}
	fmt.Fprintf(&ids, ` ORDER BY id DESC LIMIT $%d OFFSET $%d`, states+1, states+2)
	return `SELECT ` + requestColumns + requestTables + ` WHERE r.id IN (` + ids.String() + `) ORDER BY r.id DESC`
}

// openValue opens what a page shows of a request, with the request's own key.
// What cannot be read, now or ever, must not hold up the whole page.
func (db *DB) openValue(ctx context.Context, r request, key string, number int64) (value string, k seal.Key, err error) {
	if r.key == nil {
		return "", k, nil
	}
	if k, err = db.keyring.Key(ctx, *r.key); err == nil {
		value, err = db.openAskedOrHeld(ctx, r, k, key, number)
	}
	switch {
	case errors.Is(err, seal.ErrDestroyed):
		return "", k, nil // it was erased meanwhile
	case errors.Is(err, seal.ErrUnknown), errors.Is(err, seal.ErrSealed):
		db.log.Error("whom a request is about cannot be read", "request", r.ID.String(), "error", err)
		return "", k, nil
	}
	return value, k, err
}

func (db *DB) openAskedOrHeld(ctx context.Context, r request, k seal.Key, key string, number int64) (string, error) {
	asked, err := k.Open(r.asked, askedAD())
	if err != nil {
		return "", fmt.Errorf("opening the identifier asked for: %w", err)
	}
	if by, value := splitAsked(asked); by == key {
		return value, nil
	}
	return db.heldValue(ctx, r.profile, number)
}

const heldValueQuery = `SELECT i.n, i.sealed, f.key_row, f.key_id FROM fragments f JOIN identifiers i ON i.fragment = f.id
	WHERE f.profile = $1 AND i.key = $2 ORDER BY f.id, i.n LIMIT 1`

// heldValue opens the first value of a key that a profile holds.
func (db *DB) heldValue(ctx context.Context, profile sql.NullInt64, number int64) (string, error) {
	var n int64
	var sealed []byte
	var ref seal.Ref
	err := db.reads.QueryRowContext(ctx, heldValueQuery, profile, number).Scan(&n, &sealed, &ref.Row, scan16(&ref.ID))
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	k, err := db.keyring.Key(ctx, ref)
	if err != nil {
		return "", err
	}
	value, _, err := openIdentifier(k, sealed, identifierAD(n))
	return value, err
}

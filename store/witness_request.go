package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/witness"
)

// askedFor is an open request as the witness keeps it, sealed: what it takes to
// ask again. Members keep their names for ever.
type askedFor struct {
	ID           erasure.RequestID `json:"-"`
	Batch        string            `json:"batch,omitempty"`
	Table        erasure.Table     `json:"table"`
	EffaceID     *uuid.UUID        `json:"efface_id,omitempty"`
	Key          string            `json:"key,omitempty"` // the identifier asked for, until its key is destroyed
	Value        string            `json:"value,omitempty"`
	Joined       string            `json:"joined,omitempty"`
	Origin       erasure.Origin    `json:"origin"`
	ActorKind    erasure.ActorKind `json:"actor_kind"`
	ActorID      uuid.UUID         `json:"actor_id"`
	Reference    string            `json:"reference,omitempty"`
	Reason       string            `json:"reason,omitempty"`
	Suppress     bool              `json:"suppress,omitempty"`
	RequestedAt  int64             `json:"requested_at"`  // wall clock, in ms
	CancelBefore int64             `json:"cancel_before"` // the same; 0 where it is not known
	FromLog      bool              `json:"from_log,omitempty"`
}

func newAskedFor(r request) askedFor {
	a := askedFor{
		ID: r.ID, Table: r.Table, EffaceID: r.EffaceID, Origin: r.Origin, ActorKind: r.Actor.Kind, ActorID: r.Actor.ID,
		Key: r.Asked.Key, Value: r.Asked.Value, Reference: r.Reference, Reason: r.Reason, Suppress: r.Suppress,
		RequestedAt: r.RequestedAt.UnixMilli(), CancelBefore: millisOf(r.CancelBefore), FromLog: r.FromLog,
	}
	if r.Batch != nil {
		a.Batch = r.Batch.String()
	}
	if r.Joined != nil {
		a.Joined = r.Joined.String()
	}
	return a
}

const togetherWithQuery = `SELECT ` + requestColumns + requestTables + ` WHERE r.id = (SELECT COALESCE(j.joined, j.id) FROM requests j WHERE j.id = $1)
	OR r.joined = (SELECT COALESCE(j.joined, j.id) FROM requests j WHERE j.id = $1)`

// changesAsked are the entries that change what is asked for by a request, or
// when.
var changesAsked = map[erasure.Kind]bool{erasure.RequestAttached: true, erasure.RequestJoined: true, erasure.SuppressionAdded: true}

// askedAnew reads a request that has changed, and those it is joined with.
func (t *tx) askedAnew(id erasure.RequestID) (all []askedFor, err error) {
	var rs []request
	err = t.each(func(scan func(...any) error) error {
		r, err := scanRequest(scan, t.hb)
		rs = append(rs, r)
		return err
	}, togetherWithQuery, id[:])
	for _, r := range rs {
		if err == nil {
			err = r.openWith(t.key)
		}
		all = append(all, newAskedFor(r))
	}
	return all, err
}

// openWith opens what is sealed of a request, unless its key is gone.
func (r *request) openWith(key func(seal.Ref) (seal.Key, error)) error {
	if r.key == nil {
		return nil
	}
	k, err := key(*r.key)
	if errors.Is(err, seal.ErrDestroyed) || errors.Is(err, seal.ErrUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.open(k)
}

func askedForAD(id erasure.RequestID) seal.AD { return seal.AD{Table: "witness", Column: id.String()} }

func (db *DB) sealAsked(all []askedFor) ([]witness.Request, error) {
	sealed := make([]witness.Request, len(all))
	for i, a := range all {
		b, err := json.Marshal(a)
		if err != nil {
			return nil, fmt.Errorf("sealing what was asked for by %s: %w", a.ID, err)
		}
		sealed[i] = witness.Request{ID: a.ID, Sealed: db.witness.key.Seal(b, askedForAD(a.ID))}
	}
	return sealed, nil
}

func (db *DB) openAskedFor(q witness.Request) (a askedFor, err error) {
	b, err := db.witness.key.Open(q.Sealed, askedForAD(q.ID))
	if err != nil {
		return a, err
	}
	err = json.Unmarshal(b, &a)
	a.ID = q.ID
	return a, err
}

// change is what may become different about an open request.
type change struct {
	effaceID     uuid.UUID
	joined       string
	suppress     bool
	cancelBefore int64
}

func (a askedFor) change() change {
	c := change{joined: a.Joined, suppress: a.Suppress, cancelBefore: a.CancelBefore}
	if a.EffaceID != nil {
		c.effaceID = *a.EffaceID
	}
	return c
}

// unequal are the requests that a witness does not keep as the store has them.
type unequal struct {
	differ []erasure.RequestID // open ones that it keeps otherwise, or not
	ended  []erasure.RequestID // that it keeps, and that are not open
}

// compareRequests may run beside an update: what it finds is read again by
// [DB.equalRequests].
func (db *DB) compareRequests(ctx context.Context) (un unequal, err error) {
	kept := map[erasure.RequestID]change{}
	err = db.witness.Requests(func(q witness.Request) error {
		a, err := db.openAskedFor(q)
		kept[q.ID] = a.change()
		return err
	})
	for _, s := range erasure.States {
		if err == nil && s.Open() {
			err = db.compareOpen(ctx, s, kept, &un)
		}
	}
	if err != nil {
		return un, err
	}
	un.ended, err = db.endedOf(ctx, kept)
	return un, err
}

// endedOf are those that are not open. One may be and have been found in no
// state, for it went from one to another meanwhile.
func (db *DB) endedOf(ctx context.Context, kept map[erasure.RequestID]change) (ended []erasure.RequestID, err error) {
	for id := range kept {
		r, err := db.readRequest(ctx, id)
		if err != nil && !errors.Is(err, ErrNoRequest) {
			return nil, err
		}
		if err != nil || !r.State.Open() {
			ended = append(ended, id)
		}
	}
	return ended, nil
}

const openRequestsQuery = `SELECT ` + requestColumns + requestTables + ` WHERE r.state = $1 AND r.id > $2 ORDER BY r.id LIMIT $3`

// compareOpen takes the requests in a state from those that are kept, and notes
// the ones that are kept otherwise.
func (db *DB) compareOpen(ctx context.Context, state erasure.State, kept map[erasure.RequestID]change, un *unequal) error {
	_, hb := db.now()
	for last, n := (erasure.RequestID{}), linesPerRead; n == linesPerRead; {
		rows, err := db.reads.QueryContext(ctx, openRequestsQuery, string(state), last[:], linesPerRead)
		if err != nil {
			return err
		}
		n = 0
		err = eachRow(rows, func(scan func(...any) error) error {
			r, err := scanRequest(scan, hb)
			n, last = n+1, r.ID
			if is, there := kept[r.ID]; !there || is != newAskedFor(r).change() {
				un.differ = append(un.differ, r.ID)
			}
			delete(kept, r.ID)
			return err
		})
		if err != nil {
			return fmt.Errorf("reading the open requests: %w", err)
		}
	}
	return nil
}

// equalRequests makes the witness keep the requests that are open, as they are
// by now.
func (db *DB) equalRequests(ctx context.Context, u *witness.Update, un unequal) error {
	for ids := range slices.Chunk(un.differ, linesPerRead) {
		if err := db.putOpen(ctx, u, ids); err != nil {
			return fmt.Errorf("writing the open requests: %w", err)
		}
	}
	u.End(un.ended)
	u.Compact()
	return nil
}

// putOpen writes those that are open still.
func (db *DB) putOpen(ctx context.Context, u *witness.Update, ids []erasure.RequestID) error {
	_, hb := db.now()
	args := make([]any, len(ids))
	for i := range ids {
		args[i] = ids[i][:]
	}
	rows, err := db.reads.QueryContext(ctx, `SELECT `+requestColumns+requestTables+` WHERE r.id IN `+tuples(1, len(ids)), args...)
	if err != nil {
		return err
	}
	var rs []request
	err = eachRow(rows, func(scan func(...any) error) error {
		r, err := scanRequest(scan, hb)
		if r.State.Open() {
			rs = append(rs, r)
		}
		return err
	})
	if err != nil {
		return err
	}
	return db.putRequests(ctx, u, rs)
}

func (db *DB) putRequests(ctx context.Context, u *witness.Update, rs []request) error {
	all := make([]askedFor, len(rs))
	for i, r := range rs {
		err := r.openWith(func(ref seal.Ref) (seal.Key, error) { return db.keyring.Key(ctx, ref) })
		if err != nil {
			return err
		}
		all[i] = newAskedFor(r)
	}
	sealed, err := db.sealAsked(all)
	if err != nil {
		return err
	}
	return u.Put(sealed)
}

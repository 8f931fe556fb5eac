package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/witness"
)

// restore makes a store of what stands in the directory: first it reads, and
// whatever does not fit stops it; then it does again what happened since.
func (db *DB) restore(ctx context.Context) error {
	for _, step := range []func(context.Context) error{db.checkTree, db.readHistory, db.checkSigned, db.redoMerges, db.findKeys, db.destroyErased, db.redo, db.rebuildLookup} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if !db.restoring.WithoutWitness {
		if err := db.tellWitness(ctx); err != nil {
			return db.restoreWitnessError(err)
		}
	}
	if err := db.write(ctx, (*tx).restored); err != nil {
		return err
	}
	return db.findUnnamed(ctx)
}

// tellWitness writes what the store has and the witness lacks.
func (db *DB) tellWitness(ctx context.Context) error {
	var size int64
	if err := db.reads.QueryRowContext(ctx, logSizeQuery).Scan(&size); err != nil {
		return err
	}
	return db.witness.Update(func(u *witness.Update) error { return db.bringUp(ctx, u, size) })
}

// redo does again, in one commit, what happened since the backup.
func (db *DB) redo(ctx context.Context) error {
	return db.write(ctx, func(t *tx) error {
		for _, part := range []struct {
			what string
			do   func() error
		}{
			{"requests", t.redoRequests},
			{"suppressions", t.redoSuppressions},
			{"accounts", t.redoAccounts},
			{"sources that can't be read", t.forgetLost},
			{"counts", t.recount},
			{"erasures", t.redoErasures},
			{"windows", t.renewWindows},
		} {
			if err := part.do(); err != nil {
				return fmt.Errorf("restoring %s: %w", part.what, err)
			}
		}
		return nil
	})
}

// redoMerges joins again whom the log tells to be one: a request for one of them
// is for both. What joined them is lost.
func (db *DB) redoMerges(ctx context.Context) error {
	return db.write(ctx, func(t *tx) error {
		for _, merged := range db.restoring.history.merges {
			if len(merged) != 2 {
				continue
			}
			survivor, err := t.profileOfID(merged[0])
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			loser, err := t.profileOfID(merged[1])
			if err == nil && loser.id != survivor.id {
				err = t.movePointers(survivor, loser)
			}
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		return nil
	})
}

// profileOfID finds a profile by its User ID or a former one, also one that is
// being erased.
func (t *tx) profileOfID(id uuid.UUID) (profile, error) {
	return scanProfile(t.row(`SELECT `+profileColumns+` FROM profiles f JOIN profiles p ON p.id = COALESCE(f.leads_to, f.id) WHERE f.efface_id = $1`, id[:]).Scan)
}

// redoSuppressions keeps those of the witness and no other, unless the database
// that is kept is newer.
func (t *tx) redoSuppressions() error {
	if t.db.restoring.WithoutWitness || t.db.restoring.history.behind {
		return nil
	}
	shared := map[string]int64{} // which the witness does not keep
	err := t.each(func(scan func(...any) error) error {
		var mac []byte
		var at int64
		err := scan(&mac, &at)
		shared[hex.EncodeToString(mac)] = at
		return err
	}, `SELECT mac, shared_at FROM suppressions WHERE shared_at > 0`)
	if err == nil {
		_, err = t.exec(`DELETE FROM suppressions`)
	}
	for _, s := range t.db.restoring.history.suppress {
		if err == nil && !s.Lifted {
			err = t.suppressAgain(s, shared[s.MAC])
		}
	}
	return err
}

func (t *tx) suppressAgain(s witness.Suppression, sharedAt int64) error {
	mac, ok := erasure.ParseFingerprint(s.MAC)
	id, known := erasure.ParseRequestID(s.Request)
	if !ok || !known {
		return erasure.Errorf(erasure.CodeInvalid, "A line of suppressions.jsonl in the witness %s is damaged; put a good copy of the witness there or, where there is none, move it aside and add --without-witness: %s.",
			t.db.options.Witness, sinceIsLost)
	}
	number, err := t.keyNumber(erasure.Table(s.Table), s.Key)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO suppressions (mac, table_, key, request, created_at, expires, shared_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		mac[:], s.Table, number, id[:], s.CreatedAt, s.Expires, sharedAt)
	return err
}

// redoAccounts takes away again what was taken from operators and API keys. Who
// set another password needs a link for a new one: the former may be known.
func (t *tx) redoAccounts() error {
	for _, e := range t.db.restoring.history.accounts {
		id := e.Target
		if id == nil {
			id = &e.Actor.ID
		}
		var err error
		switch e.Kind {
		case erasure.RoleChanged:
			_, err = t.exec(`UPDATE operators SET role = $1 WHERE id = $2`, string(e.ToRole), id[:])
		case erasure.OperatorDisabled, erasure.OperatorEnabled:
			_, err = t.exec(`UPDATE operators SET disabled = $1 WHERE id = $2`, e.Kind == erasure.OperatorDisabled, id[:])
		case erasure.PasswordChanged, erasure.LinkUsed:
			_, err = t.exec(`UPDATE operators SET password = '' WHERE id = $1`, id[:])
		case erasure.KeyRevoked:
			_, err = t.exec(`UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0`, e.Time.UnixMilli(), id[:])
		}
		if err != nil {
			return err
		}
	}
	for _, query := range []string{`DELETE FROM sessions`, `DELETE FROM links`, `DELETE FROM finds`, `DELETE FROM sweeps`} {
		if _, err := t.exec(query); err != nil {
			return err
		}
	}
	return nil
}

// recount counts the requests anew, of all and of batches.
func (t *tx) recount() error {
	for _, query := range []string{
		`INSERT INTO batches (id, origin, actor_kind, actor_id, reference, requested_at, requested, matched)
			SELECT batch, MIN(origin), MIN(actor_kind), MIN(actor_id), MIN(reference), MIN(requested_at), COUNT(*), COUNT(*) FROM requests
			WHERE batch IS NOT NULL GROUP BY batch ON CONFLICT DO NOTHING`,
		`DELETE FROM request_counts`,
		`INSERT INTO request_counts (table_, state, destroyed, requests)
			SELECT table_, state, keys_destroyed_at > 0, COUNT(*) FROM requests GROUP BY 1, 2, 3`,
		`DELETE FROM batch_counts`,
		`INSERT INTO batch_counts (batch, state, requests, finished_at)
			SELECT batch, state, COUNT(*), MAX(finished_at) FROM requests WHERE batch IS NOT NULL GROUP BY 1, 2`,
	} {
		if _, err := t.exec(query); err != nil {
			return err
		}
	}
	return nil
}

// renewWindows lets every pending request be cancelled for a full window again:
// while nothing was served, nobody could.
func (t *tx) renewWindows() error {
	window := t.db.options.CancelWindow
	n, err := t.exec(`UPDATE requests SET due = $1, cancel_before = $2, renewed_at = $3 WHERE state = 'pending'`,
		t.hb.Store+window.Milliseconds(), t.now.Add(window).UnixMilli(), t.now.UnixMilli())
	t.db.restoring.did.Pending = int(n)
	return err
}

// forgetLost deletes the sources that can't be read, and whom nothing is left of.
func (t *tx) forgetLost() error {
	profiles := map[int64]bool{}
	for _, f := range slices.Concat(t.db.restoring.keys.lost, t.db.restoring.keys.gone) {
		profiles[f.profile] = true
		if err := t.deleteWhole(f.id); err != nil {
			return err
		}
	}
	for p := range profiles {
		left, err := t.fragmentCount(p)
		if err == nil && left == 0 {
			err = t.noteLost(p)
		}
		if err == nil {
			err = t.forgetEmpty(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) deleteWhole(fragment int64) error {
	for {
		budget := 1 << 20
		if done, err := t.deleteFragment(fragment, &budget); done || err != nil {
			return err
		}
	}
}

func (t *tx) forgetEmpty(profile int64) error {
	left, err := t.fragmentCount(profile)
	if err != nil || left > 0 {
		return err
	}
	for _, query := range []string{
		`DELETE FROM memberships WHERE group_ = $1 OR member = $1`,
		`DELETE FROM refused_merges WHERE profile = $1 OR other = $1`,
		`DELETE FROM over_limit WHERE profile = $1`,
		`UPDATE requests SET profile = NULL WHERE efface_id IN (SELECT efface_id FROM profiles WHERE id = $1 OR leads_to = $1)`,
		`DELETE FROM profiles WHERE id = $1 OR leads_to = $1`,
	} {
		if _, err := t.exec(query, profile); err != nil {
			return err
		}
	}
	return nil
}

// noteLost logs of the open requests for a profile that it is lost.
func (t *tx) noteLost(profile int64) error {
	return t.each(func(scan func(...any) error) error {
		r, err := scanRequest(scan, t.hb)
		if err == nil && r.EffaceID != nil {
			t.log(erasure.Entry{Kind: erasure.ProfileLost, Request: &r.ID, Batch: r.Batch, Origin: r.Origin, Reference: r.Reference,
				Actor: erasure.System, Profiles: []uuid.UUID{*r.EffaceID}})
		}
		return err
	}, `SELECT `+requestColumns+requestTables+` WHERE r.state IN ('pending', 'in_progress', 'failed')
		AND r.efface_id IN (SELECT p.efface_id FROM profiles p WHERE p.id = $1 OR p.leads_to = $1)`, profile)
}

func (t *tx) fragmentCount(profile int64) (n int, err error) {
	err = t.row(`SELECT COUNT(*) FROM fragments WHERE profile = $1`, profile).Scan(&n)
	return n, err
}

// restored ends a restore: it is logged, and what was prepared is no backup any
// more.
func (t *tx) restored() error {
	if err := t.waitOnlyForStrangers(); err != nil {
		return err
	}
	r := t.db.restoring
	t.log(erasure.Entry{Kind: erasure.StoreRestored, Actor: erasure.Terminal, Counts: &erasure.Counts{Keys: r.did.Keys}})
	if r.did.Lost > 0 {
		t.log(erasure.Entry{Kind: erasure.LossAccepted, Actor: erasure.Terminal, Counts: &erasure.Counts{Keys: r.did.Lost}})
	}
	if r.WithoutWitness {
		t.log(erasure.Entry{Kind: erasure.WitnessForgone, Actor: erasure.Terminal, Counts: &erasure.Counts{Keys: r.did.Gone}})
	}
	kept := witnessKept
	if r.WithoutWitness { // whoever opens the store next begins one with it
		kept = witnessNone
	}
	_, err := t.exec(`UPDATE store SET backup = 0, witness = $1`, kept)
	return err
}

// waitOnlyForStrangers lets no request wait for an identifier that leads to
// somebody: it was made for another person, who is not in the backup.
func (t *tx) waitOnlyForStrangers() error {
	for _, a := range t.db.restoring.history.asked {
		if a.Key == "" {
			continue
		}
		r, err := t.request(a.ID)
		if err != nil {
			return err
		}
		if r.profile.Valid || a.EffaceID == nil {
			continue
		}
		number, err := t.keyNumber(a.Table, a.Key)
		if err != nil {
			return err
		}
		mac := fingerprint(t.db.secrets.lookup, a.Table, a.Key, a.Value)
		if _, err := t.exec(`UPDATE requests SET waiting = NULL WHERE id = $1 AND EXISTS (SELECT 1 FROM lookup l WHERE l.key = $2 AND l.mac = $3)`,
			a.ID[:], number, mac[:]); err != nil {
			return err
		}
	}
	return nil
}

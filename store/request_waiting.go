package store

import (
	"bytes"
	"database/sql"
	"errors"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

func askedAD() seal.AD { return seal.AD{Table: "requests", Column: "asked"} }

// The identifier asked for is sealed as its key, a NUL and the normalised
// value. Keys hold no NUL.
func joinAsked(id identifier) []byte { return []byte(id.key + "\x00" + id.value) }

func splitAsked(b []byte) (key, value string) {
	k, v, _ := bytes.Cut(b, []byte{0})
	return string(k), string(v)
}

// waitingRequest finds the pending request for an identifier that nothing is
// known of; sql.ErrNoRows where there is none.
func (t *tx) waitingRequest(id identifier) (request, error) {
	mac := fingerprint(t.db.secrets.waiting, id.table, id.key, id.value)
	return scanRequest(t.row(`SELECT `+requestColumns+requestTables+`
		WHERE r.waiting = $1 AND r.profile IS NULL AND r.state = 'pending'`, mac[:]).Scan, t.hb)
}

// erasing finds the open request of a profile that is being erased and that
// an identifier still leads to; sql.ErrNoRows where there is none.
func (t *tx) erasing(id identifier) (request, error) {
	if id.key == effaceIDKey {
		return scanRequest(t.row(`SELECT `+requestColumns+requestTables+`
			WHERE r.efface_id = (SELECT p.efface_id FROM profiles p WHERE p.id = (SELECT COALESCE(f.leads_to, f.id) FROM profiles f WHERE f.efface_id = $1))
				AND r.table_ = $2 AND r.state IN ('in_progress', 'failed') AND r.joined IS NULL`, uuidBytes(id.value), string(id.table)).Scan, t.hb)
	}
	return scanRequest(t.row(`SELECT `+requestColumns+requestTables+`
		WHERE r.efface_id IN (SELECT p.efface_id FROM profiles p WHERE p.id IN (SELECT l.profile FROM lookup l WHERE l.key = $1 AND l.mac = $2))
			AND r.state IN ('in_progress', 'failed') AND r.joined IS NULL
		ORDER BY r.id LIMIT 1`, id.number, id.mac[:]).Scan, t.hb)
}

// attachWaiting gives a request that waits for an identifier the profile that
// appeared for it. Where that has a pending request already, the two join.
func (t *tx) attachWaiting(id identifier, p profile) error {
	var one int
	err := t.row(`SELECT 1 FROM requests WHERE state = 'pending' AND waiting IS NOT NULL AND profile IS NULL LIMIT 1`).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := t.waitingRequest(id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	k, err := t.key(*r.key)
	if err != nil {
		return err
	}
	open, err := t.openRequest(p)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = t.exec(`UPDATE requests SET profile = $1, efface_id = $2 WHERE id = $3`, p.id, p.efface[:], r.ID[:])
		t.logAbout(erasure.Entry{Kind: erasure.RequestAttached, Request: &r.ID, Batch: r.Batch, Origin: r.Origin, Reference: r.Reference, Actor: erasure.System}, p.efface.String(), k)
		return err
	}
	if err != nil {
		return err
	}
	return t.joinRequests(r, open, p, k)
}

// joinRequests lets two requests for one profile change state together from
// now on. They are due at the later of the two times.
func (t *tx) joinRequests(r, open request, p profile, k seal.Key) error {
	due, before := max(r.due, open.due), r.CancelBefore
	if open.CancelBefore.After(before) {
		before = open.CancelBefore
	}
	_, err := t.exec(`UPDATE requests SET profile = $1, efface_id = $2, joined = $3 WHERE id = $4`,
		p.id, p.efface[:], open.ID[:], r.ID[:])
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE requests SET due = $1, cancel_before = $2 WHERE id = $3 OR joined = $3`,
		due, before.UnixMilli(), open.ID[:])
	t.logAbout(erasure.Entry{Kind: erasure.RequestJoined, Request: &r.ID, Batch: r.Batch, Origin: r.Origin, Reference: r.Reference, Actor: erasure.System}, p.efface.String(), k)
	return err
}

package store

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/witness"
)

// takeSuppression takes notice of one that the witness keeps.
func (h *history) takeSuppression(s witness.Suppression) error {
	_, ok := erasure.ParseFingerprint(s.MAC)
	id, known := erasure.ParseRequestID(s.Request)
	if !ok || !known && !s.Lifted {
		return errSuppression
	}
	h.suppress[s.MAC] = s
	if known {
		h.wanted[id] = true
	}
	return nil
}

var errSuppression = errors.New("the suppression is not in the form that Efface writes")

// keepSuppressions adds to those of the witness what it lacks of the backup's, and
// what nobody lifted since: nothing of an erased person is collected again because a
// file was damaged.
func (db *DB) keepSuppressions(ctx context.Context) error {
	h := &db.restoring.history
	_, hb := db.now()
	kept := 0
	err := db.eachSuppression(ctx, func(s witness.Suppression) error {
		id, _ := erasure.ParseRequestID(s.Request)
		if _, told := h.suppress[s.MAC]; told || h.lifted[id] || s.Expires <= hb.Passed() {
			return nil
		}
		kept++
		return h.takeSuppression(s)
	})
	if kept > 0 {
		db.log.Warn("the witness lacks suppressions that the database has; they are kept, but those added since the backup may be lost", "suppressions", kept)
	}
	return err
}

// redoSuppressions keeps those of the history and no other, unless the database
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
	mac, _ := erasure.ParseFingerprint(s.MAC)
	id, _ := erasure.ParseRequestID(s.Request)
	number, err := t.keyNumber(erasure.Table(s.Table), s.Key)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO suppressions (mac, table_, key, request, created_at, expires, shared_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		mac[:], s.Table, number, id[:], s.CreatedAt, s.Expires, sharedAt)
	return err
}

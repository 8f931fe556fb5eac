package store

import (
	"fmt"

	"github.com/efface/efface/store/erasure"
)

// leftOut is a suppressed identifier that came again.
type leftOut struct {
	table   erasure.Table
	key     string
	mac     [16]byte // the suppression's
	request erasure.RequestID
}

// returns gathers what came back in one write, for its end: of somebody whose
// data keeps coming, a thousand calls change one row once.
type returns struct {
	calls map[erasure.RequestID]erasure.Returns // and of all together, by everyRequest
	// shared are the fingerprints that came with another profile's data, each
	// with the number of the key that tells the two apart.
	shared  map[[16]byte]int64
	without Without // what the call that is being stored was not given
}

// everyRequest stands in the place of a request for all of them, so that the sum
// need not be made of a row for each of them.
var everyRequest erasure.RequestID

// count counts a call once for each request that suppressed something of it; of
// a group call that is kept without some, it is called for each part.
func (b *returns) count(left []leftOut, add func(*erasure.Returns)) {
	if b.calls == nil {
		b.calls, b.shared = map[erasure.RequestID]erasure.Returns{}, map[[16]byte]int64{}
	}
	counted := map[erasure.RequestID]bool{everyRequest: true}
	for _, l := range left {
		counted[l.request] = true
	}
	for id := range counted {
		r := b.calls[id]
		add(&r)
		b.calls[id] = r
	}
}

// dropped counts a call of which nothing is kept. It leaves no trace of its
// message id, so a repeat counts again.
func (t *tx) dropped(left []leftOut) {
	t.back.count(left, func(r *erasure.Returns) { r.Dropped++ })
}

// trimmed counts a call that is kept without its suppressed identifiers.
func (t *tx) trimmed(left []leftOut) {
	if len(left) > 0 {
		t.back.without.Suppressed = true
		t.back.count(left, func(r *erasure.Returns) { r.Trimmed++ })
	}
}

// noteShared notes of what a call was told of a profile without whether that
// proves it shared. Where that profile has a value of a key that allows one, as
// a user_id, it is not the one that was erased with another value: then an
// identifier that both had is shared.
func (t *tx) noteShared(left []leftOut, told profile) error {
	if len(left) == 0 {
		return nil
	}
	for _, spec := range erasure.Keys(told.table) {
		if !spec.OneValue || spec.Name == effaceIDKey {
			continue
		}
		number, err := t.keyNumber(told.table, spec.Name)
		if err != nil {
			return err
		}
		has, err := t.haveKey([]int64{told.id}, number)
		if err != nil {
			return err
		}
		for _, l := range left {
			if has && !erasure.KeyOf(l.table, l.key).OneProfile {
				t.back.shared[l.mac] = number
			}
		}
	}
	return nil
}

// writeReturns writes what came back in this write.
func (t *tx) writeReturns() error {
	for id, r := range t.back.calls {
		_, err := t.exec(`INSERT INTO returns (request, dropped, trimmed, last_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (request) DO UPDATE SET dropped = returns.dropped + excluded.dropped, trimmed = returns.trimmed + excluded.trimmed,
				last_at = CASE WHEN excluded.last_at > returns.last_at THEN excluded.last_at ELSE returns.last_at END`,
			id[:], r.Dropped, r.Trimmed, t.now.UnixMilli())
		if err != nil {
			return fmt.Errorf("counting what came back: %w", err)
		}
	}
	for mac, key := range t.back.shared {
		_, err := t.exec(`UPDATE suppressions SET shared_at = $1 WHERE mac = $2
			AND EXISTS (SELECT 1 FROM suppressions o WHERE o.request = suppressions.request AND o.key = $3)`,
			t.now.UnixMilli(), mac[:], key)
		if err != nil {
			return fmt.Errorf("noting what is shared: %w", err)
		}
	}
	return nil
}

package seal

import "crypto/rand"

// A key's row in the keyring holds, at fixed places, its id, the version of
// the master key that wraps it, and the nonce, wrapped key and tag as
// [cipher.NewGCMWithRandomNonce] puts them. A destroyed key's row keeps its
// id; all else of it is zero. Every row has the same length for ever, so
// SQLite overwrites it where it stands and never leaves a copy behind.
const (
	idSize  = 16
	keySize = 32
	rowSize = idSize + 1 + 12 + keySize + 16
)

type row [rowSize]byte

func (r *row) id() [idSize]byte { return [idSize]byte(r[:idSize]) }

func (r *row) destroyed() bool { return *r == destroyedRow(r.id()) }

// destroyedRow is what the row of a destroyed key holds.
func destroyedRow(id [idSize]byte) (r row) {
	copy(r[:], id[:])
	return r
}

// newRow makes a fresh key and the row that holds it wrapped.
func newRow(m Master, storeID [16]byte) (r row, key []byte) {
	key = make([]byte, keySize)
	rand.Read(key)
	var id [idSize]byte
	rand.Read(id[:])
	return wrap(m, storeID, id, key), key
}

// wrap makes the row that holds a key wrapped.
func wrap(m Master, storeID [16]byte, id [idSize]byte, key []byte) (r row) {
	copy(r[:], id[:])
	r[idSize] = m.secret.version
	copy(r[idSize+1:], m.secret.aead.Seal(nil, nil, key, wrapAD(storeID, &r)))
	return r
}

// unwrap opens the key in a row.
func (r *row) unwrap(m Master, storeID [16]byte) ([]byte, error) {
	if r.destroyed() {
		return nil, ErrDestroyed
	}
	s := m.of(r[idSize])
	if s == nil {
		return nil, ErrMaster
	}
	key, err := s.aead.Open(nil, nil, r[idSize+1:], wrapAD(storeID, r))
	if err != nil {
		return nil, ErrMaster
	}
	return key, nil
}

// wrapAD ties a wrapped key to its store, its id and the master's version.
func wrapAD(storeID [16]byte, r *row) []byte {
	ad := append([]byte("efface key 1"), storeID[:]...)
	return append(ad, r[:idSize+1]...)
}

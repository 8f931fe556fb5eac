package seal

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// Key is an unwrapped data key. It never shows itself when it is printed.
// It is safe for concurrent use.
type Key struct {
	Ref    Ref
	secret *keySecret // a pointer, so that no struct around it prints it
}

type keySecret struct {
	storeID [16]byte
	aead    cipher.AEAD
	macs    sync.Pool
}

func newKey(ref Ref, storeID [16]byte, key []byte) (Key, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return Key{}, err
	}
	s := &keySecret{storeID: storeID, aead: aead}
	s.macs.New = func() any { return newMAC(key) }
	return Key{ref, s}, nil
}

// AD is the place of a sealed value: table, column and the number of the row
// within what the key seals. It is bound to the value, with the store's id and
// the key's. The profile is not part of it, so that a merge re-seals nothing.
type AD struct {
	Table, Column string
	N             int64
}

// Seal encrypts plaintext for one place, by AES-256-GCM under a random nonce.
// One key may seal 2^32 values. The result is 28 bytes longer than plaintext.
func (k Key) Seal(plaintext []byte, a AD) []byte {
	return k.secret.aead.Seal(nil, nil, plaintext, k.ad(a))
}

// Open decrypts what Seal gave for the same place. The error is [ErrSealed].
func (k Key) Open(sealed []byte, a AD) ([]byte, error) {
	plaintext, err := k.secret.aead.Open(nil, nil, sealed, k.ad(a))
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

// ad has one reading only: what varies in length is led by its length.
func (k Key) ad(a AD) []byte {
	b := make([]byte, 0, 96)
	b = append(b, "efface value 1"...)
	b = append(b, k.secret.storeID[:]...)
	b = append(b, k.Ref.ID[:]...)
	b = appendPart(b, a.Table)
	b = appendPart(b, a.Column)
	return binary.BigEndian.AppendUint64(b, uint64(a.N))
}

func appendPart(b []byte, part string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
	return append(b, part...)
}

// Format hides the key from every verb.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// String gives the key's id, which is no secret, and nothing else of it.
func (k Key) String() string { return fmt.Sprintf("key %x (hidden)", k.Ref.ID) }

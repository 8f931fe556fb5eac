package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// MACSize is the length of a fingerprint in bytes. 128 bits suffice: among a
// billion values two meet by chance with a probability of 2^-69, only the
// keyed server can compute one, and half the length is half the index.
const MACSize = 16

// mac is a HMAC-SHA-256 kept ready, for it is on the way of every call that
// comes in.
type mac struct {
	h   hash.Hash
	buf [sha256.Size]byte
}

// newMAC keys it with a key of its own, so that the one that seals does
// nothing else.
func newMAC(key []byte) *mac {
	own, err := hkdf.Expand(sha256.New, key, "efface mac 1", sha256.Size)
	if err != nil {
		panic("seal: " + err.Error()) // only for lengths over 8,160 bytes
	}
	return &mac{h: hmac.New(sha256.New, own)}
}

func (m *mac) write(part []byte) {
	n := binary.BigEndian.AppendUint64(m.buf[:0], uint64(len(part)))
	m.h.Write(n)
	m.h.Write(part)
}

// MAC returns the keyed fingerprint of parts: HMAC-SHA-256 over each part led
// by its length, cut to [MACSize] bytes. Other parts give another fingerprint,
// also where they are the same when joined.
func (k Key) MAC(parts ...[]byte) (sum [MACSize]byte) {
	m := k.secret.macs.Get().(*mac)
	defer k.secret.macs.Put(m)
	m.h.Reset()
	for _, p := range parts {
		m.write(p)
	}
	copy(sum[:], m.h.Sum(m.buf[:0]))
	return sum
}

package erasure

import (
	"encoding/base32"
	"strings"
	"time"

	"github.com/google/uuid"
)

// RequestID names a deletion request. Its text is "er_" and the TypeID form
// of a UUIDv7: 26 characters of lower-case Crockford base 32.
type RequestID uuid.UUID

// BatchID names requests made together. Its text is "eb_" and the same form.
type BatchID uuid.UUID

const (
	requestPrefix = "er_"
	batchPrefix   = "eb_"
)

// NewRequestID makes an id that sorts by the time it is made at.
func NewRequestID(now time.Time) RequestID { return RequestID(NewEffaceID(now)) }

// NewBatchID makes an id that sorts by the time it is made at.
func NewBatchID(now time.Time) BatchID { return BatchID(NewEffaceID(now)) }

// NewEffaceID makes a User ID, a UUIDv7 (RFC 9562, method 3: the twelve bits
// after the version are the time's next ones).
func NewEffaceID(now time.Time) uuid.UUID {
	u := uuid.New() // random, with the variant set
	ms := now.UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (8 * (5 - i)))
	}
	fraction := now.Nanosecond() % 1e6 * 4096 / 1e6
	u[6] = 0x70 | byte(fraction>>8)
	u[7] = byte(fraction)
	return u
}

func (id RequestID) String() string { return requestPrefix + encodeTypeID(id) }
func (id BatchID) String() string   { return batchPrefix + encodeTypeID(id) }

// ParseRequestID reads a request's id as shown; ok is false for anything else.
func ParseRequestID(s string) (id RequestID, ok bool) {
	u, ok := decodeTypeID(requestPrefix, s)
	return RequestID(u), ok
}

// ParseBatchID reads a batch's id as shown; ok is false for anything else.
func ParseBatchID(s string) (id BatchID, ok bool) {
	u, ok := decodeTypeID(batchPrefix, s)
	return BatchID(u), ok
}

var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// TypeID puts the two spare bits of 26 base-32 characters in front, where
// base32 puts them at the end: two leading zero bits move them.
func encodeTypeID(u [16]byte) string {
	var b [20]byte // 160 bits are 32 characters; the first 30 bits are zero
	copy(b[4:], u[:])
	return crockford.EncodeToString(b[:])[6:]
}

func decodeTypeID(prefix, s string) (uuid.UUID, bool) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) != 26 || rest[0] > '7' {
		return uuid.UUID{}, false
	}
	b, err := crockford.DecodeString("000000" + rest)
	if err != nil {
		return uuid.UUID{}, false
	}
	return uuid.UUID(b[4:]), true
}

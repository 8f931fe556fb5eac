package store

import (
	"fmt"
	"time"
)

// scan16 scans a 16-byte column into an id of any type.
func scan16[T ~[16]byte](dest *T) *scanned16[T] { return &scanned16[T]{dest: dest} }

type scanned16[T ~[16]byte] struct{ dest *T }

// Scan implements sql.Scanner.
func (s *scanned16[T]) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != 16 {
		return fmt.Errorf("an id of 16 bytes was expected, not %T of %d", src, len(b))
	}
	*s.dest = T([16]byte(b))
	return nil
}

// scanNull16 scans a 16-byte column that may be NULL.
func scanNull16[T ~[16]byte](dest **T) *scannedNull16[T] { return &scannedNull16[T]{dest: dest} }

type scannedNull16[T ~[16]byte] struct{ dest **T }

// Scan implements sql.Scanner.
func (s *scannedNull16[T]) Scan(src any) error {
	if src == nil {
		*s.dest = nil
		return nil
	}
	*s.dest = new(T)
	return scan16(*s.dest).Scan(src)
}

// null16 gives the column's value for an id that may be nil.
func null16[T ~[16]byte](id *T) any {
	if id == nil {
		return nil
	}
	b := [16]byte(*id)
	return b[:]
}

// scan32 scans a hash of 32 bytes.
func scan32[T ~[32]byte](dest *T) *scanned32[T] { return &scanned32[T]{dest: dest} }

type scanned32[T ~[32]byte] struct{ dest *T }

// Scan implements sql.Scanner.
func (s *scanned32[T]) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != 32 {
		return fmt.Errorf("a hash of 32 bytes was expected, not %T of %d", src, len(b))
	}
	*s.dest = T([32]byte(b))
	return nil
}

// scanTime scans wall-clock milliseconds, 0 being the zero time.
func scanTime(dest *time.Time) *scannedTime { return &scannedTime{dest} }

type scannedTime struct{ dest *time.Time }

// Scan implements sql.Scanner.
func (s *scannedTime) Scan(src any) error {
	ms, ok := src.(int64)
	if !ok {
		return fmt.Errorf("milliseconds were expected, not %T", src)
	}
	*s.dest = timeOf(ms)
	return nil
}

// timeOf is the time of milliseconds, of which 0 are none.
func timeOf(ms int64) (at time.Time) {
	if ms != 0 {
		at = millis(ms)
	}
	return at
}

// millisOf is 0 where there was no such time.
func millisOf(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

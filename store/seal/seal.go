// Package seal keeps the keys of the store and seals under them. Personal
// data reaches the disk only sealed, so erasing a person is destroying their
// keys: see docs/architecture.md. The package knows nothing of profiles.
package seal

import (
	"errors"
)

// Ref names a key: its random id, and the row of the keyring where it was put.
// The row only finds the key fast; the id decides.
type Ref struct {
	Row int64
	ID  [16]byte
}

// What a key can be instead of usable.
var (
	ErrDestroyed = errors.New("seal: the key was destroyed")
	ErrUnknown   = errors.New("seal: the keyring never held the key")
	ErrMaster    = errors.New("seal: the master key does not fit the keyring")
)

// ErrSealed says that sealed bytes do not open: they were sealed under
// another key or for another place, or are damaged.
var ErrSealed = errors.New("seal: the sealed value does not open")

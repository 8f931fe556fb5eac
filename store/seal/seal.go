// Package seal keeps the keys of the store and seals under them. Personal
// data reaches the disk only sealed, so erasing a person is destroying their
// keys: see docs/architecture.md. The package knows nothing of profiles.
package seal

import (
	"errors"

	"github.com/efface/efface/store/erasure"
)

// Ref names a key: its random id, and the row of the keyring where it was put.
// The row only finds the key fast; the id decides.
type Ref struct {
	Row int64
	ID  [16]byte
}

// What a key can be instead of usable. ErrMaster is an [erasure.Error], for
// it is met by whoever starts the program.
var (
	ErrDestroyed = errors.New("seal: the key was destroyed")
	ErrUnknown   = errors.New("seal: the keyring never held the key")
	ErrMaster    = error(erasure.Errorf(erasure.CodeInvalid,
		"The master key does not fit this store; start with the master key file that the store was made with."))
)

// ErrSealed says that sealed bytes do not open: they were sealed under
// another key or for another place, or are damaged.
var ErrSealed = errors.New("seal: the sealed value does not open")

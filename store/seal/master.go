package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/efface/efface/store/erasure"
)

// Master is the 256-bit key that wraps every other one. It never shows itself
// when it is printed.
type Master struct {
	secret *masterSecret // a pointer, so that no struct around it prints it
}

type masterSecret struct {
	aead    cipher.AEAD
	version byte
}

// The first version. A wrapped key says the version of its master key.
const masterVersion = 1

const masterPrefix = "efface-master-key-1:"

// secretFileLimit is far above the length of a key file.
const secretFileLimit = 1 << 10

// CreateMaster makes a master key and writes it to a new file at path that
// only its owner can read. A file that is there stays as it is.
func CreateMaster(path string) (Master, error) {
	key := make([]byte, 32)
	rand.Read(key)
	err := CreateSecret(path, masterPrefix+base64.StdEncoding.EncodeToString(key)+"\n")
	switch {
	case errors.Is(err, fs.ErrExist):
		return Master{}, saying(err, "There is a file at %s already; a master key is never written over one.", path)
	case err != nil:
		return Master{}, saying(err, "The master key can't be written to %s; check that its directory exists and may be written to.", path)
	}
	return newMaster(key)
}

// LoadMaster reads the master key at path. Where there is none the error is
// also [fs.ErrNotExist]; each other one says what to do too.
func LoadMaster(path string) (Master, error) {
	text, err := ReadSecret(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Master{}, saying(err, "There is no master key at %s; put it back there, or say where it is.", path)
	case erasure.CodeOf(err) != "":
		return Master{}, err
	case err != nil:
		return Master{}, saying(err, "The master key at %s can't be read; let the user that runs efface own and read it.", path)
	}
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), masterPrefix)
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(key) != 32 {
		// The inner error would show a part of the key.
		return Master{}, erasure.Errorf(erasure.CodeInvalid,
			"The file %s is not a whole master key; put a good copy of the master key there.", path)
	}
	return newMaster(key)
}

// CreateSecret writes a small secret to a new file that only its owner can
// read. The error is [fs.ErrExist] where there is a file already.
func CreateSecret(path, text string) error { return writeNew(path, []byte(text)) }

// ReadSecret reads a file that [CreateSecret] wrote. Where others can read it
// the error's sentence says so.
func ReadSecret(path string) (string, error) {
	i, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if err := ownerOnly(path, i); err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(f, secretFileLimit))
	return string(b), errors.Join(err, f.Close())
}

// saying gives err a sentence to be shown.
func saying(err error, format string, args ...any) error {
	return fmt.Errorf("%w (%w)", erasure.Errorf(erasure.CodeInvalid, format, args...), err)
}

func newMaster(key []byte) (Master, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return Master{}, err
	}
	return Master{&masterSecret{aead, masterVersion}}, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Format hides the key from every verb.
func (m Master) Format(f fmt.State, _ rune) { io.WriteString(f, m.String()) }

// String says what it is and nothing of it.
func (m Master) String() string { return "master key (hidden)" }

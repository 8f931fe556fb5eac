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
	"strconv"
	"strings"

	"github.com/efface/efface/store/erasure"
)

// Master is the 256-bit key that wraps every other one. While it is changed it
// is two: what either wraps opens, and the newer one wraps. It never shows
// itself when it is printed.
type Master struct {
	secret *masterSecret // a pointer, so that no struct around it prints it
}

type masterSecret struct {
	aead    cipher.AEAD
	version byte
	former  *masterSecret // nil unless the key is being changed
}

// A wrapped key says the version of its master key, whose file says it too.
// None is 0, as the row of a destroyed key is.
const firstVersion = 1

// nextVersion comes after v. After 255 it is the first again, whose key is gone.
func nextVersion(v byte) byte { return v%255 + 1 }

// Version is the version that wraps.
func (m Master) Version() byte { return m.secret.version }

// Versions are the version that m takes the place of, 0 where m is not being
// changed, and the one that wraps.
func (m Master) Versions() (from, to byte) {
	if m.secret.former != nil {
		from = m.secret.former.version
	}
	return from, m.secret.version
}

// of returns the key of that version; nil where m is of others.
func (m Master) of(version byte) *masterSecret {
	s := m.secret
	for s != nil && s.version != version {
		s = s.former
	}
	return s
}

const masterPrefix = "efface-master-key-" // then the version, a colon and the key

// secretFileLimit is far above the length of a key file.
const secretFileLimit = 1 << 10

// CreateMaster makes a master key and writes it to a new file at path that
// only its owner can read. A file that is there stays as it is.
func CreateMaster(path string) (Master, error) {
	key := make([]byte, keySize)
	rand.Read(key)
	err := CreateSecret(path, masterText(firstVersion, key))
	switch {
	case errors.Is(err, fs.ErrExist):
		return Master{}, saying(err, "There is a file at %s already; a master key is never written over one.", path)
	case err != nil:
		return Master{}, saying(err, "The master key can't be written to %s; check that its directory exists and may be written to.", path)
	}
	return newMaster(firstVersion, key)
}

// LoadMaster reads the master key at path, and the one beside it that is to
// take its place where a change was broken off. Where there is none the error
// is also [fs.ErrNotExist]; each other one says what to do too.
func LoadMaster(path string) (Master, error) {
	m, err := readMaster(path)
	if err != nil {
		return Master{}, err
	}
	files, err := masterFilesOf(path)
	if err != nil {
		return Master{}, err
	}
	next, err := readMaster(files.next)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m, nil
	case err != nil:
		return Master{}, err
	case next.Version() != nextVersion(m.Version()):
		return Master{}, erasure.Errorf(erasure.CodeInvalid,
			"The master keys %s and %s do not belong together; move the one away that is not of this store.", path, files.next)
	}
	next.secret.former = m.secret
	return next, nil
}

func readMaster(path string) (Master, error) {
	text, err := ReadSecret(path)
	if err != nil {
		return Master{}, unreadMaster(path, err)
	}
	version, key, ok := parseMaster(strings.TrimSpace(text))
	if !ok {
		// The inner error would show a part of the key.
		return Master{}, erasure.Errorf(erasure.CodeInvalid,
			"The file %s is not a whole master key; put a good copy of the master key there.", path)
	}
	return newMaster(version, key)
}

// unreadMaster says what to do about a master key that can't be read.
func unreadMaster(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return saying(err, "There is no master key at %s; put it back there, or say where it is.", path)
	case erasure.CodeOf(err) != "":
		return err
	}
	return saying(err, "The master key at %s can't be read; let the user that runs efface own and read it.", path)
}

func masterText(version byte, key []byte) string {
	return masterPrefix + strconv.Itoa(int(version)) + ":" + base64.StdEncoding.EncodeToString(key) + "\n"
}

func parseMaster(text string) (version byte, key []byte, ok bool) {
	number, encoded, ok := strings.Cut(strings.TrimPrefix(text, masterPrefix), ":")
	v, err := strconv.ParseUint(number, 10, 8)
	if !ok || err != nil || v == 0 {
		return 0, nil, false
	}
	key, err = base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(key) != keySize || text+"\n" != masterText(byte(v), key) {
		return 0, nil, false
	}
	return byte(v), key, true
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

func newMaster(version byte, key []byte) (Master, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return Master{}, err
	}
	return Master{&masterSecret{aead: aead, version: version}}, nil
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

package evidence

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Signer signs what a log states. It never shows its key when it is printed.
type Signer struct {
	signer   note.Signer
	verifier string
}

// NewKey makes an Ed25519 key for a store's log, in the form of a note's signer
// key.
func NewKey(store [16]byte) (string, error) {
	secret, _, err := note.GenerateKey(rand.Reader, Origin(store))
	return secret, err
}

// errKey never says more: the key would be a part of it.
var errKey = errors.New("not a whole log key")

// NewSigner reads a key that [NewKey] made.
func NewSigner(key string) (Signer, error) {
	key = strings.TrimSpace(key)
	s, err := note.NewSigner(key)
	if err != nil {
		return Signer{}, errKey
	}
	parts := strings.SplitN(key, "+", 5) // PRIVATE+KEY+NAME+HASH+BASE64
	b, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(b) != 1+ed25519.SeedSize {
		return Signer{}, errKey
	}
	public := ed25519.NewKeyFromSeed(b[1:]).Public().(ed25519.PublicKey)
	v, err := note.NewEd25519VerifierKey(s.Name(), public)
	return Signer{s, v}, err
}

// Origin is the first line of the checkpoints that it signs.
func (s Signer) Origin() string { return s.signer.Name() }

// VerifierKey is the public key, as `efface log key` prints it: name, hash and
// key of a note's verifier.
func (s Signer) VerifierKey() string { return s.verifier }

// Format hides the key from every verb.
func (s Signer) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// String says what it is and nothing of it.
func (s Signer) String() string { return "log key (hidden)" }

// ParseVerifier reads a verifier key.
func ParseVerifier(key string) (note.Verifier, error) {
	v, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil || !strings.HasPrefix(v.Name(), "efface/") {
		return nil, errors.New("it is not a public key as efface log key prints it")
	}
	return v, nil
}

// Sign signs a text: it returns the part of a note's signature line that follows
// the name, the key's hash and the Ed25519 signature in standard base64.
func (s Signer) Sign(text []byte) (string, error) {
	b, err := s.signer.Sign(text)
	if err != nil {
		return "", err
	}
	h := s.signer.KeyHash()
	return base64.StdEncoding.EncodeToString(append([]byte{byte(h >> 24), byte(h >> 16), byte(h >> 8), byte(h)}, b...)), nil
}

// Signed reports whether signature is that of text by the key of v, as
// [Signer.Sign] makes it.
func Signed(signature string, text []byte, v note.Verifier) bool {
	b, err := readBase64(signature)
	if err != nil || len(b) < 4 {
		return false
	}
	h := v.KeyHash()
	return [4]byte(b) == [4]byte{byte(h >> 24), byte(h >> 16), byte(h >> 8), byte(h)} && v.Verify(text, b[4:])
}

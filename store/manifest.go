package store

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/seal"
)

// Manifest says what a backup holds. It stands beside the database as
// backup.json, signed with the log's key: so nobody who can write to a backup puts
// anything in it.
type Manifest struct {
	Version    int       `json:"v"`
	Store      string    `json:"store"` // the store's id, in hex
	Program    string    `json:"program"`
	MadeAt     time.Time `json:"made_at"`
	Schema     int       `json:"schema"`
	Bytes      int64     `json:"bytes"`      // of efface.db
	SHA256     string    `json:"sha256"`     // of efface.db, in hex
	Entries    int64     `json:"entries"`    // of its log
	Checkpoint string    `json:"checkpoint"` // that covers them
	Signature  string    `json:"signature"`  // of all the rest, as [Manifest.Sign] makes it
}

const (
	manifestFile    = "backup.json"
	manifestVersion = 1
	manifestLimit   = 1 << 20 // bytes
)

// Sign signs what the manifest says with a log's key.
func (m *Manifest) Sign(k evidence.Signer) error {
	text, err := m.signedText()
	if err == nil {
		m.Signature, err = k.Sign(text)
	}
	return err
}

// signedText is the manifest without its signature, after a line that no receipt
// or checkpoint begins with.
func (m Manifest) signedText() ([]byte, error) {
	m.Signature = ""
	b, err := json.Marshal(m)
	return append([]byte("efface backup\n"), b...), err
}

// checkSignature refuses a manifest that was not signed with the key in a file.
func (r Restore) checkSignature(m Manifest, logKey string) error {
	key, err := seal.ReadSecret(logKey)
	if errors.Is(err, fs.ErrNotExist) {
		return noLogKey(logKey)
	}
	if err != nil {
		return err
	}
	signer, err := evidence.NewSigner(key)
	if err != nil {
		return notLogKey(logKey)
	}
	v, err := evidence.ParseVerifier(signer.VerifierKey())
	if err != nil {
		return err
	}
	text, err := m.signedText()
	if err == nil && !evidence.Signed(m.Signature, text, v) {
		err = erasure.Errorf(erasure.CodeInvalid, "The backup.json in %s is not signed by the log key %s: it was changed, or is another store's; use another backup, or name the key's place with --log-key.", r.From, logKey)
	}
	return err
}

func (r Restore) manifest() (m Manifest, err error) {
	f, err := openRegular(filepath.Join(r.From, manifestFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return m, r.noBackup()
	}
	if err != nil {
		return m, err
	}
	b, err := io.ReadAll(io.LimitReader(f, manifestLimit))
	err = errors.Join(err, f.Close())
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil || m.Version < 1 {
		return m, erasure.Errorf(erasure.CodeInvalid, "The backup.json in %s is damaged; use another backup.", r.From)
	}
	if m.Version > manifestVersion {
		return m, erasure.Errorf(erasure.CodeConflict, "The backup in %s was written by a newer Efface; use that version or a later one.", r.From)
	}
	if m.Store == "" || m.Schema < 1 || m.Entries < 1 || m.Checkpoint == "" {
		return m, erasure.Errorf(erasure.CodeInvalid, "The backup.json in %s is cut short; use another backup.", r.From)
	}
	return m, nil
}

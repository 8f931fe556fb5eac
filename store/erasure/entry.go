package erasure

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"
)

// EntryVersion is the form of a log entry that this program writes.
const EntryVersion = 1

// Kind is what a log entry tells.
type Kind string

// The kinds of log entry.
const (
	RequestCreated   Kind = "request.created"
	RequestAttached  Kind = "request.attached"          // a waiting request found its profile
	RequestJoined    Kind = "request.joined"            // a waiting request met another one on its profile
	SuppressionAdded Kind = "request.suppression_added" // a pending request was asked for again, with suppression
	RequestCancelled Kind = "request.cancelled"
	RequestClaimed   Kind = "request.claimed"
	KeysDestroyed    Kind = "request.keys_destroyed"
	RequestFailed    Kind = "request.failed"
	RequestCompleted Kind = "request.completed"
	RequestReopened  Kind = "request.reopened" // a restore brought its rows back, to be deleted again
	// ProfileLost says that what a restore put in place lacks the profile that an
	// open request is for: a later one may have it.
	ProfileLost      Kind = "request.profile_lost"
	ProfileViewed    Kind = "profile.viewed"
	ProfileExported  Kind = "profile.exported" // all that is held was taken out
	ProfileMerged    Kind = "profile.merged"
	LogsExported     Kind = "logs.exported"
	BackupMade       Kind = "backup.made"
	StoreRestored    Kind = "store.restored"        // a backup was put in place
	LossAccepted     Kind = "store.loss_accepted"   // of keys that the keyring put in place lacks
	WitnessForgone   Kind = "store.witness_forgone" // the restore was made without it
	SignedIn         Kind = "operator.signed_in"
	SignedOut        Kind = "operator.signed_out"    // on every device
	SessionEnded     Kind = "operator.session_ended" // one of their own
	OperatorCreated  Kind = "operator.created"
	RoleChanged      Kind = "operator.role_changed"
	OperatorDisabled Kind = "operator.disabled"
	OperatorEnabled  Kind = "operator.enabled"
	PasswordChanged  Kind = "operator.password_changed" // by themselves, with the present one
	LinkMade         Kind = "operator.link_made"        // one that sets a password
	LinkUsed         Kind = "operator.link_used"        // it has set a password
	KeyCreated       Kind = "key.created"
	KeyRevoked       Kind = "key.revoked"
	// SuppressionsChecked says that somebody asked whether identifiers are
	// suppressed, and of how many.
	SuppressionsChecked Kind = "suppression.checked"
	SuppressionLifted   Kind = "suppression.lifted"
	WitnessRebuilt      Kind = "witness.rebuilt" // it was started anew from the store
	MasterRotated       Kind = "master.rotated"  // every key is wrapped by another master key
)

// Entry is one line of the deletion log. In the clear it holds only random
// ids that exist nowhere outside Efface; what says something of a person is
// Subject, a salted HMAC. The salt and value are kept sealed beside it, under
// a key that dies with the person.
type Entry struct {
	Index     int64
	Time      time.Time
	Kind      Kind
	Request   *RequestID
	Batch     *BatchID
	From, To  State
	Origin    Origin
	Reference string
	Actor     Actor
	Counts    *Counts
	Subject   *Subject
	Keys      [][16]byte  // of an erasure: the ids of the keys destroyed
	Profiles  []uuid.UUID // of a merge: the User IDs joined, the one that stays first; of [ProfileLost] the one
	Target    *uuid.UUID  // the operator or API key that the entry is about
	// FromRole and ToRole are an operator's, in the members from and to.
	FromRole, ToRole Role
	Reason           LiftReason // why a suppression was lifted
	// FromMaster and ToMaster are versions of the master key, in from and to.
	FromMaster, ToMaster MasterVersion
}

// MasterVersion is the version of a master key, from 1 to 255; 0 is none.
type MasterVersion byte

// String is empty where there is none.
func (v MasterVersion) String() string {
	if v == 0 {
		return ""
	}
	return strconv.Itoa(int(v))
}

// Counts are numbers of things found or erased, in the order of [wireEntry].
type Counts struct {
	Identifiers int `json:"identifiers"`
	Keys        int `json:"keys,omitzero"`
	Records     int `json:"records"`
}

// Subject is whom an entry is about, to be stored as HMAC-SHA-256(Salt, Value).
type Subject struct {
	Salt  [32]byte
	Value string
}

// NewSubject salts a value anew.
func NewSubject(value string) *Subject {
	s := &Subject{Value: value}
	rand.Read(s.Salt[:])
	return s
}

// MAC returns the digest that stands in the entry, in hex.
func (s *Subject) MAC() string {
	m := hmac.New(sha256.New, s.Salt[:])
	m.Write([]byte(s.Value))
	return hex.EncodeToString(m.Sum(nil))
}

// wireEntry is the entry's JSON. Members keep their names for ever and stand
// in the order of RFC 8785, that of their names; its values are whole numbers
// and ASCII that JSON writes as it is. So what is written is canonical.
type wireEntry struct {
	Actor     string      `json:"actor"`
	Batch     string      `json:"batch,omitempty"`
	Counts    *Counts     `json:"counts,omitempty"`
	From      string      `json:"from,omitempty"`
	Index     int64       `json:"index"`
	Keys      []string    `json:"keys,omitempty"`
	Kind      Kind        `json:"kind"`
	Nonce     string      `json:"nonce"`
	Origin    Origin      `json:"origin,omitempty"`
	Profiles  []uuid.UUID `json:"profiles,omitempty"`
	Reason    LiftReason  `json:"reason,omitempty"`
	Reference string      `json:"reference,omitempty"`
	Request   string      `json:"request,omitempty"`
	Subject   string      `json:"subject,omitempty"`
	Target    *uuid.UUID  `json:"target,omitempty"`
	Time      string      `json:"time"`
	To        string      `json:"to,omitempty"`
	Version   int         `json:"v"`
}

// Canonical returns the entry as canonical JSON (RFC 8785) with a fresh nonce:
// the exact bytes that are kept and hashed. Each call gives other bytes.
func (e *Entry) Canonical() ([]byte, error) {
	var nonce [16]byte
	rand.Read(nonce[:])
	w := wireEntry{
		Version: EntryVersion, Index: e.Index, Time: e.Time.UTC().Format(entryTime),
		Nonce: hex.EncodeToString(nonce[:]), Kind: e.Kind,
		From: cmp.Or(string(e.From), string(e.FromRole), e.FromMaster.String()), To: cmp.Or(string(e.To), string(e.ToRole), e.ToMaster.String()),
		Origin: e.Origin, Reason: e.Reason, Reference: e.Reference, Actor: e.Actor.String(), Counts: e.Counts, Profiles: e.Profiles, Target: e.Target,
	}
	if e.Request != nil {
		w.Request = e.Request.String()
	}
	if e.Batch != nil {
		w.Batch = e.Batch.String()
	}
	if e.Subject != nil {
		w.Subject = e.Subject.MAC()
	}
	for _, k := range e.Keys {
		w.Keys = append(w.Keys, hex.EncodeToString(k[:]))
	}
	return json.Marshal(w)
}

// EntryHash is the hash kept of an entry's bytes: the leaf hash of RFC 6962.
func EntryHash(entry []byte) [32]byte { return [32]byte(tlog.RecordHash(entry)) }

// Activity is a log entry as the Activity page shows it.
type Activity struct {
	Index   int64
	Time    time.Time
	Kind    Kind
	Request *RequestID
	Actor   string // the operator's e-mail, "key:NAME", "terminal" or "system"
	Target  string // the operator's e-mail or "key:NAME"; "" where it is about neither
	// EffaceID is the profile that the entry was about, for as long as the
	// person exists; of a merge, for as long as the entry is kept.
	EffaceID         *uuid.UUID
	FromRole, ToRole Role // of an operator
	Origin           Origin
	Reason           LiftReason // of a suppression that was lifted
	Dropped          bool       // the content went after its retention; only the hash is left
}

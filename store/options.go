package store

import (
	"log/slog"
	"path/filepath"
	"time"

	"github.com/efface/efface/store/erasure"
)

// The files of a data directory, unless [Options] place them elsewhere.
const (
	databaseFile = "efface.db"
	keyringFile  = "keyring.db"
	masterFile   = "master.key"
	logKeyFile   = "log.key"
	witnessDir   = "witness"
	lockFile     = "efface.lock"
)

// What holds unless [Options] or [SweepOptions] say otherwise.
const (
	DefaultCancelWindow  = 24 * time.Hour
	DefaultSuppressFor   = 1096 * 24 * time.Hour // 36 months
	DefaultKeyLimit      = 100
	DefaultKeepCancelled = 30 * 24 * time.Hour
	DefaultKeepLog       = 1096 * 24 * time.Hour // 36 months
	// DefaultKeepKeyringCopies is how long backups of the keyring are kept.
	DefaultKeepKeyringCopies = 7 * 24 * time.Hour
)

// Options say where a store is and how it behaves.
type Options struct {
	Dir       string
	MasterKey string // "" is master.key in Dir
	Keyring   string // "" is keyring.db in Dir
	LogKey    string // that signs checkpoints and receipts; "" is log.key in Dir
	Witness   string // directory of what must not be lost with the store; "" is witness in Dir
	NoWitness bool   // keep none: for measuring what it costs
	// NewWitness starts the witness anew from the store, and logs that. The old
	// one's files are kept in the directory [DB.OldWitness].
	NewWitness bool
	Clock      erasure.Clock // nil is the machine's
	// CancelWindow is for how long a request made through this DB may be
	// cancelled; zero is [DefaultCancelWindow].
	CancelWindow time.Duration
	// SuppressFor is how long a suppression lasts; zero is [DefaultSuppressFor].
	SuppressFor time.Duration
	// KeyLimit is how many identifiers of one key a profile may have; zero is
	// [DefaultKeyLimit].
	KeyLimit int
	// KeepKeyringCopies is how long copies of the keyring are kept elsewhere,
	// which receipts say; zero is [DefaultKeepKeyringCopies].
	KeepKeyringCopies time.Duration
	// Program is the name and version that receipts give.
	Program string
	// Serve is set by the one server of a directory: it takes the lock and
	// brings an older store up to date.
	Serve bool
	// Alone is set to change the master key: no other program may have the
	// store open meanwhile.
	Alone bool
	// CommitLimit is how many writes share a commit at most; zero is 512.
	CommitLimit int
	Logger      *slog.Logger
}

func (o *Options) fill() {
	if o.MasterKey == "" {
		o.MasterKey = filepath.Join(o.Dir, masterFile)
	}
	if o.Keyring == "" {
		o.Keyring = filepath.Join(o.Dir, keyringFile)
	}
	if o.LogKey == "" {
		o.LogKey = filepath.Join(o.Dir, logKeyFile)
	}
	if o.Witness == "" {
		o.Witness = filepath.Join(o.Dir, witnessDir)
	}
	if o.Clock == nil {
		o.Clock = SystemClock{}
	}
	if o.CancelWindow == 0 {
		o.CancelWindow = DefaultCancelWindow
	}
	if o.SuppressFor == 0 {
		o.SuppressFor = DefaultSuppressFor
	}
	if o.KeyLimit == 0 {
		o.KeyLimit = DefaultKeyLimit
	}
	if o.KeepKeyringCopies == 0 {
		o.KeepKeyringCopies = DefaultKeepKeyringCopies
	}
	if o.CommitLimit == 0 {
		o.CommitLimit = 512
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Options returns what the store was opened with, with what was left out
// filled in.
func (db *DB) Options() Options { return db.options }

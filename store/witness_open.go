package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/witness"
)

// openWitness opens the store's witness, refuses a store that does not fit it,
// and writes what it lacks: a kill between a commit and its lines leaves that. A
// store that never had one gets one.
func (db *DB) openWitness(ctx context.Context) error {
	if db.options.NoWitness {
		return nil
	}
	dir := db.options.Witness
	var kept witnessState
	if err := db.reads.QueryRowContext(ctx, `SELECT witness FROM store`).Scan(&kept); err != nil {
		return fmt.Errorf("reading whether there is a witness: %w", err)
	}
	anew := db.options.NewWitness
	there, err := witness.There(dir)
	if err == nil && !there && kept != witnessNone && !anew {
		err = fs.ErrNotExist
	}
	if err == nil && anew {
		kept = witnessLost
		err = db.setWitnessState(ctx, kept)
	}
	if err == nil && (!there || anew) {
		err = db.startWitness(dir)
	}
	if err == nil {
		err = db.openWitnessFiles(dir)
	}
	if err == nil {
		err = db.bringUpWitness(ctx)
	}
	if err != nil {
		return db.witnessError(err)
	}
	return db.keepsWitness(ctx, kept)
}

func (db *DB) openWitnessFiles(dir string) error {
	wrapped, err := witness.ReadKey(dir)
	if err != nil {
		return err
	}
	if db.witness.key, err = db.keyring.OpenWrapped(wrapped); err != nil {
		return erasure.Errorf(erasure.CodeConflict,
			"The witness in %s is not this store's, or the master key is one from before a change; name the place of its own with --witness, or the newest key with --master-key.", dir)
	}
	if db.witness.Witness, err = witness.Open(dir); err != nil {
		return err
	}
	db.witness.beside, err = sameDisk(dir, db.options.Dir)
	return err
}

// bringUpWitness compares the witness with the store and makes it the same.
func (db *DB) bringUpWitness(ctx context.Context) error {
	var size int64
	err := db.witness.Update(func(u *witness.Update) (err error) {
		if size, err = db.checkWitness(ctx, u); err != nil {
			return err
		}
		return db.bringUp(ctx, u, size)
	})
	db.witness.entries.Store(size)
	return err
}

func sameDisk(a, b string) (bool, error) {
	var of [2]unix.Stat_t
	err := errors.Join(unix.Stat(a, &of[0]), unix.Stat(b, &of[1]))
	return of[0].Dev == of[1].Dev, err
}

// rewrapWitness wraps the witness's key by the keyring's newest master key.
func (db *DB) rewrapWitness() error {
	if db.witness.Witness == nil {
		return nil
	}
	wrapped, err := witness.ReadKey(db.options.Witness)
	if err == nil {
		wrapped, err = db.keyring.Rewrapped(wrapped)
	}
	if err != nil {
		return err
	}
	return witness.WriteKey(db.options.Witness, wrapped)
}

// witnessError turns what stops a witness's opening into a sentence that says
// what to do.
func (db *DB) witnessError(err error) error {
	dir := db.options.Witness
	var bad *witness.Damaged
	switch {
	case erasure.CodeOf(err) != "":
		return err
	case errors.As(err, &bad):
		return erasure.Errorf(erasure.CodeInvalid, "Line %d of %s, in the store's witness, is damaged; put a good copy of the witness there or, where there is none, make a new one with efface witness rebuild.", bad.Line, bad.Path)
	case errors.Is(err, fs.ErrNotExist):
		return erasure.Errorf(erasure.CodeInvalid, "The store's witness in %s is missing or not whole; put it back, name its place with --witness or, where it is lost, make a new one with efface witness rebuild.", dir)
	case errors.Is(err, fs.ErrPermission):
		return erasure.Errorf(erasure.CodeInvalid, "Efface cannot write in %s, the store's witness; give its user the right to.", dir)
	case Full(err):
		return erasure.Errorf(erasure.CodeInvalid, "The disk that holds %s, the store's witness, is full; make room on it and start again.", dir)
	}
	return fmt.Errorf("opening the witness: %w", err)
}

// bringUp writes what the store has and the witness lacks, and takes from it what
// has ended in the store. A command beside the server leaves the requests and
// suppressions to that: to compare a million of them holds up every write.
func (db *DB) bringUp(ctx context.Context, u *witness.Update, size int64) error {
	if err := db.catchUp(u, size); err != nil || !db.options.Serve && !db.options.Alone && !db.options.NewWitness {
		return err
	}
	un, err := db.compareRequests(ctx)
	if err == nil {
		err = db.equalRequests(ctx, u, un)
	}
	if err != nil {
		return err
	}
	return db.equalSuppressions(ctx, u)
}

// digest is the same for the same suppressions in another order.
type digest struct {
	n   int
	sum uint64
}

func (d *digest) add(one witness.Suppression) {
	h := fnv.New64a()
	fmt.Fprintf(h, "%+v", one)
	d.n, d.sum = d.n+1, d.sum+h.Sum64()
}

// equalSuppressions makes the witness keep the store's suppressions and no other.
func (db *DB) equalSuppressions(ctx context.Context, u *witness.Update) error {
	var kept, here digest
	err := db.witness.Suppressions(func(s witness.Suppression) error { kept.add(s); return nil })
	if err == nil {
		err = db.eachSuppression(ctx, func(s witness.Suppression) error { here.add(s); return nil })
	}
	if err != nil || kept == here {
		return err
	}
	return u.ReplaceSuppressions(func(write func(witness.Suppression) error) error {
		return db.eachSuppression(ctx, write)
	})
}

const allSuppressionsQuery = `SELECT ` + suppressionColumns + ` WHERE s.mac > $1 ORDER BY s.mac LIMIT $2`

func (db *DB) eachSuppression(ctx context.Context, fn func(witness.Suppression) error) error {
	last := []byte{}
	for n := linesPerRead; n == linesPerRead; {
		n = 0
		rows, err := db.reads.QueryContext(ctx, allSuppressionsQuery, last, linesPerRead)
		if err != nil {
			return err
		}
		err = eachRow(rows, func(scan func(...any) error) error {
			var mac [16]byte
			var request erasure.RequestID
			var s witness.Suppression
			var sharedAt int64
			if err := scan(scan16(&mac), scan16(&request), &s.Table, &s.Key, &s.CreatedAt, &s.Expires, &sharedAt); err != nil {
				return err
			}
			n, last = n+1, mac[:]
			s.MAC, s.Request = hex.EncodeToString(mac[:]), request.String()
			return fn(s)
		})
		if err != nil {
			return fmt.Errorf("reading the suppressions: %w", err)
		}
	}
	return nil
}

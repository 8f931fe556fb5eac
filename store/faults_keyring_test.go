package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/storetest"
)

// I2, I4, I7: the system refuses each write, sync and truncation of the
// keyring and its log in turn, while keys are made, destroyed and swept out of
// the log. What was acknowledged is there and can be read, an erasure is not
// said to be past its point of no return before it is, and with room on the
// disk again it goes on.
func TestAFailingDiskOfTheKeyringLosesNothing(t *testing.T) {
	if os.Getenv(faultControl) == "" {
		t.Parallel()
		runWithFaults(t)
		return
	}
	for name, c := range faults {
		t.Run(name, func(t *testing.T) {
			c.keyring = true
			d := onDisk{dir: filepath.Join(t.TempDir(), "data"), clock: storetest.NewClock()}
			n := 1
			for struck := true; struck && !t.Failed(); n++ {
				t.Run(fmt.Sprint("call ", n), func(t *testing.T) { struck = c.strikeKeyring(t, d.again(t), n) })
			}
			t.Logf("a fault struck at each of %d calls", n-2)
		})
	}
}

// strikeKeyring lets the nth call fail while somebody is told of, another one
// too and is erased.
func (c fault) strikeKeyring(t *testing.T, d onDisk, n int) (struck bool) {
	t.Helper()
	arm, fired := c.ready(t)
	kept, gone := fmt.Sprint("kept-", n), fmt.Sprint("gone-", n)
	tell := func(user string) error {
		_, err := d.Ingest(t.Context(), []ingest.Call{{Kind: ingest.Identify, Table: erasure.User, Source: "shop", Identifiers: storetest.Identifiers("user_id", user)}})
		return err
	}
	arm(n)
	keptErr, goneErr := tell(kept), tell(gone)
	r, _, requestErr := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", gone)[0],
		Origin: erasure.API, Actor: erasure.System, Reason: "asked by mail", Unknown: true})
	d.clock.Advance(24 * time.Hour)
	must(t, second(d.ClaimDue(t.Context(), 500))) // which makes no key
	refs, err := d.KeysToDestroy(t.Context())
	must(t, err)
	secret := d.wrapped(t, refs)
	destroyed, busy, destroyErr := d.DestroyKeys(t.Context(), 500)
	struck = fired()

	for _, err := range []error{keptErr, goneErr, requestErr, destroyErr} {
		c.isTold(t, d.DB, err)
	}
	d.keeps(t, kept, keptErr == nil)
	if destroyed > 0 && (busy || destroyErr != nil || d.shows(t, secret)) {
		t.Errorf("%d requests are said to be past the point of no return, busy %v, %v", destroyed, busy, destroyErr)
	}
	if requestErr == nil && destroyed == 0 && d.state(t, r.ID) != erasure.InProgress {
		t.Errorf("the request is %s", d.state(t, r.ID))
	}
	storetest.EraseAll(t, d.DB)
	if requestErr == nil && d.state(t, r.ID) != erasure.Completed {
		t.Errorf("with room again the request is %s", d.state(t, r.ID))
	}
	for _, ref := range refs {
		if err := d.KeyError(t, ref); !errors.Is(err, seal.ErrDestroyed) {
			t.Errorf("with room again a key of the erased is not destroyed: %v", err)
		}
	}
	if d.shows(t, secret) {
		t.Error("with room again a destroyed key is in a file")
	}
	d.keeps(t, kept, keptErr == nil)
	must(t, tell(kept))
	storetest.CheckLog(t, d.dir)
	return struck
}

// isTold finds a full disk told with what to do.
func (c fault) isTold(t *testing.T, db *store.DB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var known *erasure.Error
	if c.errno == syscall.ENOSPC && (!store.Full(err) || !errors.As(db.Explain(err), &known) || !strings.Contains(known.Sentence, "make room")) {
		t.Errorf("a full disk is told as %v", db.Explain(err))
	}
}

// keeps finds somebody with what was told of them, or not at all.
func (d onDisk) keeps(t *testing.T, user string, told bool) {
	t.Helper()
	found, err := d.Find(t.Context(), storetest.Identifiers("user_id", user)[0])
	if err != nil || len(found) > 1 || (len(found) == 1) != told {
		t.Fatalf("somebody is found %d times, %v; acknowledged: %v", len(found), err, told)
	}
	for _, p := range found {
		p, err := d.Profile(t.Context(), erasure.System, p.EffaceID)
		if err != nil || len(p.Identifiers) != 1 || p.Identifiers[0].Value != user {
			t.Errorf("what was acknowledged reads as %v, %v", p.Identifiers, err)
		}
	}
}

// wrapped reads what a keyring's rows hold of keys: nonce, wrapped key and tag.
func (d onDisk) wrapped(t *testing.T, refs []seal.Ref) (secret [][]byte) {
	t.Helper()
	db, err := sql.Open(seal.Driver, seal.DSN(filepath.Join(d.dir, "keyring.db"), seal.DSNOptions{QueryOnly: true}))
	must(t, err)
	defer db.Close()
	for _, ref := range refs {
		var row []byte
		must(t, db.QueryRow(`SELECT k FROM keys WHERE n = $1`, ref.Row).Scan(&row))
		secret = append(secret, row[len(ref.ID)+1:])
	}
	return secret
}

// shows searches the keyring and its log.
func (d onDisk) shows(t *testing.T, secret [][]byte) bool {
	t.Helper()
	for _, file := range []string{"keyring.db", "keyring.db-wal"} {
		b, err := os.ReadFile(filepath.Join(d.dir, file))
		must(t, err)
		for _, s := range secret {
			if bytes.Contains(b, s) {
				return true
			}
		}
	}
	return false
}

// A store that could not be made for want of room is made by the next try.
func TestAStoreIsMadeOnceThereIsRoom(t *testing.T) {
	if os.Getenv(faultControl) == "" {
		t.Parallel()
		runWithFaults(t)
		return
	}
	for _, keyring := range []bool{false, true} {
		c := fault{errno: syscall.ENOSPC, forGood: true, keyring: keyring}
		arm, fired := c.ready(t)
		for n, struck := 1, true; struck && !t.Failed(); n += 10 / storetest.Scale(t, 10) {
			o := store.Options{Dir: filepath.Join(t.TempDir(), "data"), Clock: storetest.NewClock()}
			arm(n)
			db, err := store.Open(t.Context(), o)
			struck = fired()
			if err == nil { // also where only a checkpoint failed
				must(t, db.Close())
			} else if !struck || !strings.Contains(err.Error(), "make room") {
				t.Errorf("a full disk, %v, at call %d is told as %v", struck, n, err)
			}
			db = storetest.Open(t, storetest.InDir(o.Dir))
			storetest.Identify(t, db, "shop", "user_id", "u1")
			storetest.One(t, db, "user_id", "u1")
		}
	}
}

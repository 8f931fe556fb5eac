package store_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/storetest"
)

// A receipt after a restore says what the one handed out before it said, and there
// is none where the log alone tells of the request.
func TestAReceiptAfterARestoreContradictsNone(t *testing.T) {
	d := openOnDisk(t)
	for _, user := range []string{"done", "asked", "changed", "since"} {
		tellPerson(t, d.DB, user, 4)
	}
	requests := map[string]erasure.Request{"done": storetest.Requested(t, d.DB, "user_id", "done")}
	d.clock.Advance(store.DefaultCancelWindow)
	storetest.EraseAll(t, d.DB)
	requests["asked"] = storetest.Requested(t, d.DB, "user_id", "asked")
	requests["changed"] = storetest.Requested(t, d.DB, "user_id", "changed")
	requests["waits"] = asks(t, d, "later@example.com")
	backup, keyring, _ := d.backup(t)

	suppressed := func(user string) erasure.Request {
		r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("user_id", user)[0],
			Origin: erasure.API, Actor: erasure.System, Suppress: true})
		must(t, err)
		return r
	}
	suppressed("changed")
	requests["since"] = suppressed("since")
	tellPerson(t, d.DB, "later", 4)
	d.clock.Advance(store.DefaultCancelWindow)
	storetest.EraseAll(t, d.DB)
	before := map[string]evidence.ReceiptRequest{}
	for name, r := range requests {
		receipt, _, err := d.Receipt(t.Context(), r.ID)
		must(t, err)
		before[name] = receipt.Request
	}
	after, _ := d.restoredFrom(t, store.Restore{From: backup, KeyringFrom: keyring})
	storetest.EraseAll(t, after.DB)
	for name, r := range requests {
		receipt, _, err := after.Receipt(t.Context(), r.ID)
		now, _ := after.Request(t.Context(), r.ID)
		if now.FromLog != (name == "waits" || name == "since") {
			t.Errorf("%s: from the log alone is %v", name, now.FromLog)
		}
		if now.FromLog {
			if erasure.CodeOf(err) != erasure.CodeNotFound || !strings.Contains(err.Error(), "the deletion log alone tells of it") {
				t.Errorf("%s: the receipt is refused with %v", name, err)
			}
			if !now.Suppress || !now.CancelBefore.IsZero() && name == "since" {
				t.Errorf("%s: what the log does not say is given: %+v", name, now)
			}
			continue
		}
		must(t, err)
		receipt.Request.CompletedAt = before[name].CompletedAt // its rows came back and went anew
		if receipt.Request != before[name] {
			t.Errorf("%s: the receipt says %+v\nand said %+v", name, receipt.Request, before[name])
		}
	}
	storetest.CheckLog(t, after.dir)
}

// A restore gives pending requests a new window, of which a backup from before it
// knows nothing: the witness does, of open ones.
func TestAReceiptSaysUntilWhenARenewedWindowWas(t *testing.T) {
	for name, ended := range map[string]bool{"ended since": true, "claimed since": false} {
		t.Run(name, func(t *testing.T) {
			d := openOnDisk(t)
			tellPerson(t, d.DB, "u1", 4)
			id := storetest.Requested(t, d.DB, "user_id", "u1").ID
			backup, keyring, _ := d.backup(t)
			var until string
			for n := range 2 {
				d.clock.Advance(store.DefaultCancelWindow)
				o := store.Options{Dir: secretsTo(t, d.dir), Clock: d.clock, Witness: filepath.Join(d.dir, "witness"), Serve: true}
				must(t, second(store.RestoreBackup(t.Context(), o, store.Restore{From: backup, KeyringFrom: keyring})))
				db, err := store.Open(t.Context(), o)
				must(t, err)
				d.clock.Advance(store.DefaultCancelWindow)
				must(t, second(db.ClaimDue(t.Context(), 10)))
				if ended || n == 1 {
					storetest.EraseAll(t, db)
				}
				r, err := db.Request(t.Context(), id)
				must(t, err)
				receipt, _, err := db.Receipt(t.Context(), id)
				switch {
				case n == 0:
					until = evidence.Time(r.CancelBefore)
				case ended && erasure.CodeOf(err) != erasure.CodeNotFound:
					t.Errorf("the receipt is refused with %v", err)
				case !ended && (err != nil || receipt.Request.CancelBefore != until):
					t.Errorf("it could be cancelled until %s, not %s: %v", receipt.Request.CancelBefore, until, err)
				}
				must(t, db.Close())
			}
		})
	}
}

// What an older backup does not know of a request, a newer one that is restored
// after it does.
func TestANewerBackupKnowsAgainWhatAnOlderOneDidNot(t *testing.T) {
	for name, completed := range map[string]bool{"in progress": false, "completed again": true} {
		t.Run(name, func(t *testing.T) {
			d := openOnDisk(t)
			tellPerson(t, d.DB, "u1", 4)
			older, _, _ := d.backup(t)
			id := storetest.Requested(t, d.DB, "user_id", "u1").ID
			newer, keyring, _ := d.backup(t)
			d.clock.Advance(store.DefaultCancelWindow)
			storetest.EraseAll(t, d.DB)
			before, _, err := d.Receipt(t.Context(), id)
			must(t, err)
			for _, backup := range []string{older, newer} {
				o := store.Options{Dir: secretsTo(t, d.dir), Clock: d.clock, Witness: filepath.Join(d.dir, "witness"), Serve: true}
				must(t, second(store.RestoreBackup(t.Context(), o, store.Restore{From: backup, KeyringFrom: keyring})))
				db, err := store.Open(t.Context(), o)
				must(t, err)
				if backup == newer || completed {
					storetest.EraseAll(t, db)
				}
				r, err := db.Request(t.Context(), id)
				if must(t, err); r.FromLog != (backup == older) {
					t.Errorf("by the newer backup %v, the request is known from the log alone: %v", backup == newer, r.FromLog)
				}
				if backup == newer {
					now, _, err := db.Receipt(t.Context(), id)
					must(t, err)
					if now.Request.CompletedAt = before.Request.CompletedAt; now.Request != before.Request {
						t.Errorf("the receipt says %+v\nand said %+v", now.Request, before.Request)
					}
				}
				must(t, db.Close())
				storetest.CheckLog(t, o.Dir)
			}
		})
	}
}

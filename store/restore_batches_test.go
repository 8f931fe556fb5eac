package store_test

import (
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// Where a restore opens one request of a batch again, the batch tells when the
// others ended, and not when the restore was.
func TestABatchOfWhichARequestIsOpenAgainTellsWhenTheOthersEnded(t *testing.T) {
	d := openOnDisk(t)
	for _, user := range []string{"u1", "u2"} {
		storetest.Identify(t, d.DB, "web", "user_id", user, "email", "family@example.com")
	}
	_, batch, err := d.RequestMatches(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("email", "family@example.com")[0],
		Origin: erasure.Lytics, Actor: erasure.System})
	must(t, err)
	d.clock.Advance(store.DefaultCancelWindow)
	must(t, second(d.ClaimDue(t.Context(), 1)))
	_, _, err = d.DestroyKeys(t.Context(), 10)
	must(t, err)
	_, _, err = d.DeleteRows(t.Context(), 1000)
	must(t, err)
	b, err := d.Batch(t.Context(), *batch)
	must(t, err)
	if b.In[erasure.Completed] != 1 {
		t.Fatalf("the requests of the batch are %v", b.In)
	}
	ended := b.UpdatedAt
	backup, keyring, _ := d.backup(t)
	d.clock.Advance(time.Hour)
	storetest.EraseAll(t, d.DB)
	d.clock.Advance(time.Hour)
	after, did := d.restoredFrom(t, store.Restore{From: backup, KeyringFrom: keyring})
	b, err = after.Batch(t.Context(), *batch)
	must(t, err)
	if did.Reopened != 1 || b.In[erasure.Completed] != 1 || !b.UpdatedAt.Equal(ended) {
		t.Errorf("the restore tells of %+v, and the batch of %v until %s instead of %s", did, b.In, b.UpdatedAt, ended)
	}
	storetest.CheckLog(t, after.dir)
}

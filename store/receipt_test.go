package store_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/evidence"
	"github.com/efface/efface/store/storetest"
)

// erased tells of a person, erases them and returns the request.
func (d onDisk) erased(t testing.TB, user string) erasure.RequestID {
	t.Helper()
	tellPerson(t, d.DB, user, 5)
	r, _, err := d.RequestErasure(t.Context(), erasure.NewRequest{
		Asked:  erasure.Identifier{Table: erasure.User, Key: "user_id", Value: user},
		Origin: erasure.Console, Actor: erasure.Terminal, Reference: "T-" + user,
	})
	must(t, err)
	d.clock.Advance(store.DefaultCancelWindow + time.Second)
	storetest.EraseAll(t, d.DB)
	return r.ID
}

func TestAReceiptIsVerifiedByThePublicKeyAlone(t *testing.T) {
	d := openOnDisk(t)
	ids := []erasure.RequestID{d.erased(t, "u1"), d.erased(t, "u2")}
	d.erased(t, "u3")
	v, err := evidence.ParseVerifier(d.LogKey())
	must(t, err)
	for _, id := range ids {
		_, file, err := d.Receipt(t.Context(), id)
		must(t, err)
		r, err := evidence.VerifyReceipt(file, v)
		must(t, err)
		if r.Request.ID != id.String() || r.Counts != (evidence.ReceiptCounts{Identifiers: 2, Keys: 3, Records: 5}) {
			t.Errorf("the receipt says %+v of %+v", r.Request, r.Counts)
		}
		t.Log(string(file))
	}
	var log bytes.Buffer
	must(t, d.ExportLog(t.Context(), erasure.Terminal, func(_ int64, b []byte) error { _, err := log.Write(b); return err }))
	s, err := evidence.VerifyLog(&log, v)
	must(t, err)
	if s.Size < 12 {
		t.Errorf("the log has %d entries", s.Size)
	}
}

package store_test

import (
	"testing"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

// A key that no profile had gets its number with the first one that has it.
// Without it the request would wait for somebody who is there already.
func TestARequestFindsWhomANewKeyCameWith(t *testing.T) {
	db := storetest.Open(t)
	r, err := db.RequestAfter(t.Context(), erasure.NewRequest{Asked: storetest.Identifiers("loyalty_id", "l1")[0], Unknown: true,
		Origin: erasure.API, Actor: erasure.System}, func() { storetest.Identify(t, db, "shop", "loyalty_id", "l1") })
	must(t, err)
	if r.EffaceID == nil {
		t.Error("the request waits for nobody")
	}
}

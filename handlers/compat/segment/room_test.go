package segment

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func TestABatchWaitsForRoomAndIsThenToldWhenToComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := make(room, 1)
		leave, err := r.enter(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if _, err := r.enter(t.Context(), w); !errors.Is(err, errNoRoom) || w.Header().Get("Retry-After") == "" {
			t.Errorf("without room: %v, %v", err, w.Header())
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.enter(gone, w); !errors.Is(err, context.Canceled) {
			t.Errorf("whoever went away gets %v", err)
		}
		entered := make(chan error)
		go func() {
			_, err := r.enter(t.Context(), w)
			entered <- err
		}()
		synctest.Wait()
		leave()
		if err := <-entered; err != nil {
			t.Errorf("once there is room: %v", err)
		}
	})
}

func TestBodiesWithoutAKeyTakeNobodysRoom(t *testing.T) {
	db := storetest.Open(t)
	token, _, err := db.CreateKey(t.Context(), erasure.System, store.NewKey{Name: "sdk", Scopes: []erasure.Scope{erasure.ScopeIngest}})
	if err != nil {
		t.Fatal(err)
	}
	h := New(db, wire.NewLimiter(0, 0))
	for range batchesHeld {
		h.unshown <- struct{}{}
	}
	for range batchesHeld + 1 { // each gives its room back
		r := httptest.NewRequest(http.MethodPost, "/v1/batch", strings.NewReader(`{"batch":[]}`))
		r.Header.Set("Authorization", "Basic "+token)
		if err := h.Batch(httptest.NewRecorder(), r); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.shown) > 0 {
		t.Errorf("%d batches hold room after their end", len(h.shown))
	}
}

package june_test

import (
	"encoding/base64"
	"testing"

	"github.com/efface/efface/handlers/compat/compattest"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

type scene struct {
	*compattest.Scene
	t *testing.T
}

// newScene has the key in base64, as $ALONE, with a colon as $COLON, and with
// a colon and more as $PASSWORD.
func newScene(t *testing.T) *scene {
	t.Helper()
	sc := &scene{compattest.New(t, store.NewKey{Scopes: []erasure.Scope{erasure.ScopeJune}}), t}
	for word, after := range map[string]string{"$ALONE": "", "$COLON": ":", "$PASSWORD": ":x"} {
		sc.Words[word] = base64.StdEncoding.EncodeToString([]byte(sc.Key() + after))
	}
	return sc
}

func TestTheContractIsReplayedToTheByte(t *testing.T) {
	compattest.Contract(t, 5, func(t *testing.T) *compattest.Scene { return newScene(t).Scene })
}

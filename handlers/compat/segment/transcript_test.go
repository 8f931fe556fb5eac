package segment_test

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

// newScene has the key in base64 with a colon as $BASIC, as $ALONE, and with a
// password as $PASSWORD.
func newScene(t *testing.T) *scene {
	t.Helper()
	sc := &scene{compattest.New(t, store.NewKey{Scopes: []erasure.Scope{erasure.ScopeIngest}}), t}
	for word, after := range map[string]string{"$ALONE": "", "$BASIC": ":", "$PASSWORD": ":x"} {
		sc.Words[word] = base64.StdEncoding.EncodeToString([]byte(sc.Key() + after))
	}
	return sc
}

func TestTheContractIsReplayedToTheByte(t *testing.T) {
	compattest.Contract(t, 4, func(t *testing.T) *compattest.Scene { return newScene(t).Scene })
}

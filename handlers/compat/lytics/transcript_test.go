package lytics_test

import (
	"testing"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/handlers/compat/compattest"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

type scene struct {
	*compattest.Scene
	t *testing.T
}

func newScene(t *testing.T, configure ...func(*handlers.Config)) *scene {
	t.Helper()
	return &scene{compattest.New(t, store.NewKey{Scopes: []erasure.Scope{erasure.ScopeLytics}}, configure...), t}
}

func TestTheContractIsReplayedToTheByte(t *testing.T) {
	compattest.Contract(t, 11, func(t *testing.T) *compattest.Scene { return newScene(t).Scene })
}

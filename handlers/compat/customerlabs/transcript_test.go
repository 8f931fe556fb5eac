package customerlabs_test

import (
	"testing"

	"github.com/efface/efface/handlers/compat/compattest"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

func TestTheContractIsReplayedToTheByte(t *testing.T) {
	compattest.Contract(t, 3, func(t *testing.T) *compattest.Scene {
		return compattest.New(t, store.NewKey{Scopes: []erasure.Scope{erasure.ScopeCustomerLabs}})
	})
}

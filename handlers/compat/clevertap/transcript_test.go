package clevertap_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/handlers/compat/compattest"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

const account = "TEST-W86-8R6"

type scene struct {
	*compattest.Scene
	t *testing.T
}

// newScene has $IDS:100, so many ids as an array has them. $KEY is a passcode
// of the account.
func newScene(t *testing.T, configure ...func(*handlers.Config)) *scene {
	t.Helper()
	sc := &scene{compattest.New(t, passcode("", account), configure...), t}
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = fmt.Sprintf(`"id-%d"`, i)
	}
	sc.Words["$IDS:100"] = strings.Join(ids, ",")
	return sc
}

func passcode(name, account string) store.NewKey {
	return store.NewKey{Name: name, Scopes: []erasure.Scope{erasure.ScopeCleverTap}, AccountID: account}
}

func TestTheContractIsReplayedToTheByte(t *testing.T) {
	compattest.Contract(t, 5, func(t *testing.T) *compattest.Scene { return newScene(t).Scene })
}

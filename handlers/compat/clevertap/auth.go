package clevertap

import (
	"crypto/subtle"
	"net/http"

	"github.com/efface/efface/handlers/wire"
	"github.com/efface/efface/store/erasure"
)

// A key is a pair: the account id, and the passcode, which is the API key.
const (
	accountHeader  = "X-CleverTap-Account-Id"
	passcodeHeader = "X-CleverTap-Passcode"
)

var errAccount = erasure.Errorf(erasure.CodeUnauthorized, "Give the account id that belongs to the passcode.")

func (h *Handler) key(r *http.Request) (erasure.APIKey, error) {
	key, err := wire.Key(r.Context(), h.db, wire.Header(r, passcodeHeader), erasure.ScopeCleverTap)
	if err != nil {
		return erasure.APIKey{}, err
	}
	if subtle.ConstantTimeCompare([]byte(wire.Header(r, accountHeader)), []byte(key.AccountID)) != 1 {
		return erasure.APIKey{}, errAccount
	}
	return key, nil
}

package wire

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// Key reads the live key of a token. Its errors are
// [erasure.CodeUnauthorized] for no such key and [erasure.CodeForbidden] for
// one without the scope.
func Key(ctx context.Context, db *store.DB, token string, scope erasure.Scope) (erasure.APIKey, error) {
	k, err := db.KeyByToken(ctx, token)
	if err != nil {
		return erasure.APIKey{}, err
	}
	if !k.Has(scope) {
		return erasure.APIKey{}, erasure.Errorf(erasure.CodeForbidden, "Use a key that has the scope %s.", scope)
	}
	return k, nil
}

// Header returns a header that was sent once, and "" where it was sent never
// or several times: two readers could choose different ones.
func Header(r *http.Request, name string) string {
	if values := r.Header.Values(name); len(values) == 1 {
		return values[0]
	}
	return ""
}

// Bearer returns the token of "Authorization: Bearer TOKEN", or "".
func Bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(Header(r, "Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// BasicUser returns the user name of "Basic CREDENTIALS", the value of a
// header: in base64, alone or with the colon of an empty password, or raw, as
// June's own pages have it. Of another scheme it is "".
func BasicUser(header string) string {
	scheme, user, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return ""
	}
	user = strings.TrimSpace(user)
	// A raw key is no base64: its prefix holds a sign that base64 has not.
	if decoded, err := base64.StdEncoding.DecodeString(user); err == nil {
		return strings.TrimSuffix(string(decoded), ":")
	}
	return user
}

// Actor is the key as who did something.
func Actor(k erasure.APIKey) erasure.Actor { return erasure.Actor{Kind: erasure.ByKey, ID: k.ID} }

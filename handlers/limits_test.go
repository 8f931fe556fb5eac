package handlers

import (
	"net/http"
	"testing"

	"github.com/efface/efface/store/erasure"
)

// limited calls every route for scripts with the key and expects that each is
// refused because of a limit, in its API's own form.
func (st *site) limited(key string) {
	st.t.Helper()
	for _, rt := range st.server.table() {
		if rt.may.scope == "" {
			continue
		}
		query, header := keyForms[opening[rt.may.scope][0]](key)
		a := st.browser().send(rt.method, pathOf(rt)+query, nil, header...)
		if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || a.tree() == nil {
			st.t.Errorf("%s is answered %d %s", rt.pattern(), a.status, a.body)
		}
	}
}

func TestTheLimitsOfAKeyHoldOnEveryRoute(t *testing.T) {
	t.Run("a second", func(t *testing.T) {
		st := newSite(t, func(c *Config) { c.RatePerKey = 0.001 })
		key := st.key(erasure.Scopes...)
		st.browser().send("GET", "/api/v1/deletions", nil, "Authorization", "Bearer "+key).want(http.StatusOK)
		st.limited(key)
	})
	t.Run("at once", func(t *testing.T) {
		st := newSite(t, func(c *Config) { c.AtOncePerKey = 1 })
		key := st.key(erasure.Scopes...)
		k, err := st.db.KeyByToken(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		leave, err := st.server.limiter.Enter(k.ID)
		if err != nil {
			t.Fatal(err)
		}
		st.limited(key)
		leave()
		st.browser().send("GET", "/api/v1/deletions", nil, "Authorization", "Bearer "+key).want(http.StatusOK)
	})
}

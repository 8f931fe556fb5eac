package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
)

func TestEachKeyMadeIsShownOnceOnItsOwnPage(t *testing.T) {
	b := newSite(t).signedIn(erasure.Admin)
	form := func(name string) url.Values {
		return url.Values{"name": {name}, "scope": {string(erasure.ScopeCustomerLabs)}}
	}
	b.post("/settings/keys", form("first")).want(http.StatusSeeOther)
	b.post("/settings/keys", form("second")).want(http.StatusSeeOther)
	if a := b.post("/settings/keys", form("first")).want(http.StatusUnprocessableEntity); strings.Contains(a.body, "efk_") {
		t.Error("a form that is shown again shows a key that another made")
	}
	for _, name := range []string{"first", "second"} {
		if a := b.get("/settings/keys").want(http.StatusOK); !strings.Contains(a.body, "Key "+name+" made") || !strings.Contains(a.body, "efk_") {
			t.Errorf("the key %s is not shown", name)
		}
	}
	if a := b.get("/settings/keys").want(http.StatusOK); strings.Contains(a.body, "efk_") {
		t.Error("a key is shown a second time")
	}
}

func TestAnAddressThatCannotBeReadShowsNothing(t *testing.T) {
	b := newSite(t).signedIn(erasure.Admin)
	for _, path := range []string{"/logs?state=completed;x", "/logs.csv?state=completed;x", "/activity?%zz"} {
		b.get(path).want(http.StatusBadRequest)
	}
}

package storetest

import (
	"fmt"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
)

// Identify stores one identify call of a source for the table user; pairs are
// keys and values of identifiers.
func Identify(t testing.TB, db *store.DB, source string, pairs ...string) store.Result {
	t.Helper()
	return Tell(t, db, ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: source, Identifiers: Identifiers(pairs...)})
}

// Tell stores one call, which may be refused.
func Tell(t testing.TB, db *store.DB, c ingest.Call) store.Result {
	t.Helper()
	results, err := db.Ingest(t.Context(), []ingest.Call{c})
	if err != nil {
		t.Fatalf("storing a call: %v", err)
	}
	return results[0]
}

// Identifiers makes identifiers of the table user from keys and values.
func Identifiers(pairs ...string) (ids []erasure.Identifier) {
	for i := 0; i < len(pairs); i += 2 {
		ids = append(ids, erasure.Identifier{Table: erasure.User, Key: pairs[i], Value: pairs[i+1]})
	}
	return ids
}

// One finds the one profile that an identifier leads to.
func One(t testing.TB, db *store.DB, key, value string) erasure.Profile {
	t.Helper()
	found, err := db.Find(t.Context(), Identifiers(key, value)[0])
	if err != nil {
		t.Fatalf("finding by %s: %v", key, err)
	}
	if len(found) != 1 {
		t.Fatalf("%s %q leads to %d profiles, not to one", key, value, len(found))
	}
	return found[0]
}

// People stores n made people of five identifiers each, numbered from 0.
func People(t testing.TB, db *store.DB, n int) {
	t.Helper()
	PeopleFrom(t, db, 0, n)
}

// PeopleFrom stores n of [People], numbered from first.
func PeopleFrom(t testing.TB, db *store.DB, first, n int) {
	t.Helper()
	const atOnce = 800
	for from, end := first, first+n; from < end; from += atOnce {
		calls := make([]ingest.Call, 0, atOnce)
		for i := from; i < min(from+atOnce, end); i++ {
			calls = append(calls, ingest.Call{Kind: ingest.Identify, Table: erasure.User, Source: "people", Identifiers: Identifiers(
				erasure.KeyUserID, PersonID(i), erasure.KeyAnonymousID, fmt.Sprintf("anonymous-%d", i),
				erasure.KeyEmail, PersonEmail(i), erasure.KeyPhone, fmt.Sprintf("+4930%08d", i), erasure.KeyFBP, fmt.Sprintf("fb.1.%d", i),
			)})
		}
		if _, err := db.Ingest(t.Context(), calls); err != nil {
			t.Fatalf("storing people: %v", err)
		}
	}
}

// PersonID is the user_id of one of [People].
func PersonID(i int) string { return fmt.Sprintf("u%d", i) }

// PersonEmail is the email of one of [People].
func PersonEmail(i int) string { return fmt.Sprintf("person.%d@example.com", i) }

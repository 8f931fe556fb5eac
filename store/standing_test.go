package store_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

func TestWhoLostTheRightMeanwhileChangesNothing(t *testing.T) {
	db := storetest.Open(t)
	storetest.Identify(t, db, "shop", "user_id", "u1")
	admin := operatorOf(t, db, "admin@example.com", erasure.Admin)
	staff := operatorOf(t, db, "staff@example.com", erasure.Staff)
	_, key, err := db.CreateKey(t.Context(), erasure.System, store.NewKey{Name: "script", Scopes: []erasure.Scope{erasure.ScopeDeletionsWrite}})
	if err != nil {
		t.Fatal(err)
	}
	must(t, db.SetRole(t.Context(), admin, staff.ID, erasure.Auditor))
	must(t, db.RevokeKey(t.Context(), admin, "script"))
	for _, actor := range []erasure.Actor{staff, {Kind: erasure.ByKey, ID: key.ID}} {
		_, created, err := db.RequestErasure(t.Context(), erasure.NewRequest{Origin: erasure.API, Actor: actor,
			Asked: storetest.Identifiers("user_id", "u1")[0]})
		if created || erasure.CodeOf(err) != erasure.CodeForbidden && erasure.CodeOf(err) != erasure.CodeUnauthorized {
			t.Errorf("%s made a request: %v, %v", actor.Kind, created, err)
		}
	}
	if _, err := db.CreateOperator(t.Context(), staff, store.NewOperator{Email: "evil@example.com", Role: erasure.Admin}); erasure.CodeOf(err) != erasure.CodeForbidden {
		t.Errorf("an auditor made an admin: %v", err)
	}
	if err := db.SetDisabled(t.Context(), erasure.Actor{Kind: erasure.ByOperator, ID: uuid.New()}, admin.ID, true); erasure.CodeOf(err) != erasure.CodeForbidden {
		t.Errorf("a stranger disabled an account: %v", err)
	}
}

func TestAKeyRevokedInASharedCommitEndsForTheCallsBehindIt(t *testing.T) {
	db := storetest.Open(t)
	storetest.Identify(t, db, "shop", "user_id", "before")
	storetest.Identify(t, db, "shop", "user_id", "behind")
	_, key, err := db.CreateKey(t.Context(), erasure.System, store.NewKey{Name: "script", Scopes: []erasure.Scope{erasure.ScopeDeletionsWrite}})
	if err != nil {
		t.Fatal(err)
	}
	request := func(user string) (err error) {
		_, _, err = db.RequestErasure(t.Context(), erasure.NewRequest{Origin: erasure.API, Actor: erasure.Actor{Kind: erasure.ByKey, ID: key.ID},
			Asked: storetest.Identifiers("user_id", user)[0]})
		return err
	}
	var before, revoked, behind error
	db.Together(t,
		func() { before = request("before") },
		func() { revoked = db.RevokeKey(t.Context(), erasure.System, "script") },
		func() { behind = request("behind") })
	if before != nil || revoked != nil || erasure.CodeOf(behind) != erasure.CodeUnauthorized {
		t.Errorf("before %v, revoked %v, behind %v", before, revoked, behind)
	}
}

func operatorOf(t *testing.T, db *store.DB, email string, role erasure.Role) erasure.Actor {
	t.Helper()
	o, err := db.CreateOperator(t.Context(), erasure.System, store.NewOperator{Email: email, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return erasure.Actor{Kind: erasure.ByOperator, ID: o.ID}
}

package store_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

const goodPassword = "rivers run uphill twice"

func TestAnAddressHasOneAccountInAnySpelling(t *testing.T) {
	db := storetest.Open(t)
	storetest.SignedUp(t, db, "Ann@Example.com", erasure.Admin)
	_, err := db.CreateOperator(t.Context(), erasure.System, store.NewOperator{Email: " ann@example.COM ", Role: erasure.Staff})
	storetest.WantCode(t, err, erasure.CodeConflict)
	o, err := db.OperatorByEmail(t.Context(), "ANN@example.com")
	if err != nil || o.Email != "ann@example.com" || o.Role != erasure.Admin || o.HasPass {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestAnOperatorNeedsAnAddressAndARole(t *testing.T) {
	db := storetest.Open(t)
	for _, n := range []store.NewOperator{
		{Email: "ann", Role: erasure.Admin}, {Email: "", Role: erasure.Admin}, {Email: "ann@example.com", Role: "owner"},
		{Email: "ann@example.com", Role: erasure.Admin, Password: "short"},
	} {
		_, err := db.CreateOperator(t.Context(), erasure.System, n)
		storetest.WantCode(t, err, erasure.CodeInvalid)
	}
	if all, err := db.Operators(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v, want nobody", all, err)
	}
}

func TestTheLastActiveAdminStays(t *testing.T) {
	db := storetest.Open(t)
	ann, _ := storetest.SignedUp(t, db, "ann@example.com", erasure.Admin)
	invited, err := db.CreateOperator(t.Context(), erasure.System, store.NewOperator{Email: "bob@example.com", Role: erasure.Admin})
	if err != nil {
		t.Fatal(err)
	}
	storetest.WantCode(t, db.SetRole(t.Context(), erasure.System, ann.ID, erasure.Staff), erasure.CodeConflict)
	storetest.WantCode(t, db.SetDisabled(t.Context(), erasure.System, ann.ID, true), erasure.CodeConflict)
	if err := db.SetDisabled(t.Context(), erasure.System, invited.ID, true); err != nil {
		t.Errorf("an admin who never signed in can't be disabled: %v", err)
	}
	storetest.SignedUp(t, db, "cid@example.com", erasure.Admin)
	if err := db.SetRole(t.Context(), erasure.System, ann.ID, erasure.Auditor); err != nil {
		t.Errorf("one admin of two can't be demoted: %v", err)
	}
}

func TestOfTwoAdminsDemotedAtOnceOneStays(t *testing.T) {
	db := storetest.Open(t)
	ann, _ := storetest.SignedUp(t, db, "ann@example.com", erasure.Admin)
	bob, _ := storetest.SignedUp(t, db, "bob@example.com", erasure.Admin)
	errs := make(chan error)
	for _, id := range []uuid.UUID{ann.ID, bob.ID} {
		go func() { errs <- db.SetRole(t.Context(), erasure.System, id, erasure.Staff) }()
	}
	first, second := <-errs, <-errs
	if (first == nil) == (second == nil) {
		t.Errorf("got %v and %v, want one refusal", first, second)
	}
}

func TestAChangeEndsTheOperatorsSessionsAndIsLogged(t *testing.T) {
	for kind, change := range map[erasure.Kind]func(*store.DB, uuid.UUID) error{
		erasure.RoleChanged: func(db *store.DB, id uuid.UUID) error {
			return db.SetRole(t.Context(), erasure.System, id, erasure.Auditor)
		},
		erasure.OperatorDisabled: func(db *store.DB, id uuid.UUID) error {
			return db.SetDisabled(t.Context(), erasure.System, id, true)
		},
	} {
		t.Run(string(kind), func(t *testing.T) {
			dir := t.TempDir()
			db := storetest.Open(t, storetest.InDir(dir))
			_, others := storetest.SignedUp(t, db, "ann@example.com", erasure.Admin)
			bob, session := storetest.SignedUp(t, db, "bob@example.com", erasure.Staff)
			if err := change(db, bob.ID); err != nil {
				t.Fatal(err)
			}
			storetest.WantOver(t, db, session)
			storetest.WantLive(t, db, others)
			if log := storetest.CheckLog(t, dir); log[len(log)-1].Kind != kind || log[len(log)-1].Target != bob.ID.String() {
				t.Errorf("the log ends with %+v", log[len(log)-1])
			}
		})
	}
}

func TestNothingIsLoggedOrEndedWhereNothingChanges(t *testing.T) {
	db := storetest.Open(t)
	ann, session := storetest.SignedUp(t, db, "ann@example.com", erasure.Admin)
	before := len(db.LogKinds(t))
	if err := db.SetRole(t.Context(), erasure.System, ann.ID, erasure.Admin); err != nil {
		t.Error(err)
	}
	if err := db.SetDisabled(t.Context(), erasure.System, ann.ID, false); err != nil {
		t.Error(err)
	}
	storetest.WantLive(t, db, session)
	if after := len(db.LogKinds(t)); after != before {
		t.Errorf("%d entries became %d", before, after)
	}
}

package store_test

import (
	"path/filepath"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/storetest"
)

func TestWhatBecameOfTestPersonsOutlivesARestart(t *testing.T) {
	o := store.Options{Dir: filepath.Join(t.TempDir(), "data"), Clock: storetest.NewClock(), Serve: true}
	db, err := store.Open(t.Context(), o)
	must(t, err)
	must(t, db.NoteTestPerson(t.Context(), ""))
	must(t, db.NoteTestPerson(t.Context(), "They are shown in a file."))
	before := db.TestPersons()
	must(t, db.Close())
	db, err = store.Open(t.Context(), o)
	must(t, err)
	if after := db.TestPersons(); after != before || after.Failed.IsZero() || after.Passed.IsZero() {
		t.Errorf("before a restart there is %+v, and after it %+v", before, after)
	}
	must(t, db.Close())
}

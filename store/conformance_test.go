package store_test

import (
	"path/filepath"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/storetest"
)

// Each store's log is replayed at its end, and fits its rows (I5).
func TestSQLiteConforms(t *testing.T) {
	storetest.Conformance(t, func(t testing.TB, configure ...func(*store.Options)) *store.DB {
		dir := filepath.Join(t.TempDir(), "data")
		db := storetest.Open(t, append(configure, storetest.InDir(dir))...)
		t.Cleanup(func() { storetest.CheckLog(t, dir) })
		return db
	})
}

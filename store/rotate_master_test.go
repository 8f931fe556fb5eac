package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/scan"
	"github.com/efface/efface/store/seal"
	"github.com/efface/efface/store/storetest"
)

const rotatedPeople = 600

// rotating is a store whose master key is to be changed, with the keys that
// were destroyed in it and some probes sealed by the others.
type rotating struct {
	dir    string
	gone   []seal.Ref
	probes map[seal.Ref][]byte
}

var probe = seal.AD{Table: "probe"}

func newRotating(t *testing.T) rotating {
	t.Helper()
	r := rotating{dir: filepath.Join(t.TempDir(), "data"), probes: map[seal.Ref][]byte{}}
	db := openDir(t, r.dir)
	storetest.People(t, db, rotatedPeople)
	closeDB(t, db)
	ring := keyringOf(t, r.dir)
	made, err := ring.Make(t.Context(), 700)
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range made {
		if i%7 == 0 {
			r.gone = append(r.gone, key.Ref)
		} else {
			r.probes[key.Ref] = key.Seal(key.Ref.ID[:], probe)
		}
	}
	if err := errors.Join(ring.Destroy(t.Context(), r.gone), ring.Close()); err != nil {
		t.Fatal(err)
	}
	return r
}

func openDir(t *testing.T, dir string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: dir, Clock: storetest.NewClock()})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func closeDB(t *testing.T, db *store.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// keyringOf opens a directory's keyring by the master keys that are there.
func keyringOf(t *testing.T, dir string) *seal.Keyring {
	t.Helper()
	m, err := seal.LoadMaster(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	raw := storetest.Raw(t, dir)
	defer raw.Close()
	var id []byte
	if err := raw.QueryRow(`SELECT store_id FROM store`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.OpenKeyring(filepath.Join(dir, "keyring.db"), m, [16]byte(id))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// check opens a copy of the store: everybody is found, every probe opens and
// every destroyed key stays so.
func (r rotating) check(t *testing.T, dir string) {
	t.Helper()
	db := openDir(t, dir)
	for i := range rotatedPeople {
		storetest.One(t, db, "user_id", storetest.PersonID(i))
	}
	closeDB(t, db)
	ring := keyringOf(t, dir)
	defer ring.Close()
	for ref, sealed := range r.probes {
		key, err := ring.Key(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := key.Open(sealed, probe); err != nil || [16]byte(b) != ref.ID {
			t.Fatalf("row %d holds another key: %v", ref.Row, err)
		}
	}
	for _, ref := range r.gone {
		if _, err := ring.Key(t.Context(), ref); !errors.Is(err, seal.ErrDestroyed) {
			t.Fatalf("a destroyed key gives %v", err)
		}
	}
}

func rotate(t *testing.T, dir string, tell func(store.Rotation)) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: dir, Clock: storetest.NewClock(), Alone: true})
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB(t, db)
	if err := db.RotateMaster(t.Context(), erasure.Terminal, tell); err != nil {
		t.Fatal(err)
	}
}

// I2, I5: a change of the master key that is killed after any step leaves a
// store that opens, in which every key opens and destroyed ones stay destroyed;
// run again it ends the same change and is logged once.
func TestAMasterKeyIsChangedOnceWhereverItBrokeOff(t *testing.T) {
	r := newRotating(t)
	copies := t.TempDir()
	old := wrappedIn(t, r.dir)
	var steps []store.RotationStep
	rotate(t, r.dir, func(now store.Rotation) {
		// What a kill leaves is what the files hold.
		if err := os.CopyFS(filepath.Join(copies, fmt.Sprint(len(steps))), os.DirFS(r.dir)); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, now.Step)
		if n := shown(t, old, r.dir); (n == 0) != (now.Step >= store.OldBytesGone) {
			t.Errorf("after step %d the keyring's files show %d parts of keys as they were wrapped before", now.Step, n)
		}
	})
	if len(steps) < 6 {
		t.Fatalf("only %v was told", steps)
	}
	dirs := []string{r.dir}
	for n := range steps {
		dirs = append(dirs, filepath.Join(copies, fmt.Sprint(n)))
	}
	for n, dir := range dirs {
		t.Run(fmt.Sprint("copy ", n), func(t *testing.T) {
			mode(t, dir)
			r.check(t, dir)
			if n > 0 && n < len(dirs)-1 { // not ended
				rotate(t, dir, func(store.Rotation) {})
				r.check(t, dir)
			}
			db, err := store.Open(t.Context(), store.Options{Dir: dir, Clock: storetest.NewClock()})
			must(t, err) // the witness's key is wrapped anew as well
			closeDB(t, db)
			kinds := 0
			for _, e := range storetest.CheckLog(t, dir) {
				if e.Kind == erasure.MasterRotated {
					kinds++
				}
			}
			if kinds != 1 {
				t.Errorf("the change is logged %d times", kinds)
			}
			key, err := os.ReadFile(filepath.Join(dir, "master.key"))
			if err != nil || !strings.HasPrefix(string(key), "efface-master-key-2:") {
				t.Errorf("the key in force is not the second one: %v", err)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "master.key.*")); err != nil || len(left) > 0 {
				t.Errorf("beside the master key there are %v, %v", left, err)
			}
		})
	}
}

// wrappedIn are the wrapped keys of a keyring, in parts, so that a torn copy is
// found too.
func wrappedIn(t *testing.T, dir string) *scan.Patterns {
	t.Helper()
	raw, err := seal.OpenPool(filepath.Join(dir, "keyring.db"), seal.DSNOptions{QueryOnly: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	rows, err := raw.Query(`SELECT substr(k, 18) FROM keys WHERE substr(k, 17, 1) <> x'00'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	p := &scan.Patterns{}
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			t.Fatal(err)
		}
		for ; len(b) >= 8; b = b[8:] {
			p.AddBytes(0, b[:8])
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return p
}

func shown(t *testing.T, p *scan.Patterns, dir string) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "keyring.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p.Find(b, func(scan.Match) { n++ })
	}
	return n
}

// mode makes the files their owner's alone, as copies of them are not.
func mode(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		if err := os.Chmod(filepath.Join(dir, f.Name()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheMasterKeyIsChangedAlone(t *testing.T) {
	db := storetest.Open(t)
	o := db.Options()
	o.Alone = true
	_, err := store.Open(t.Context(), o)
	storetest.WantCode(t, err, erasure.CodeConflict)
}

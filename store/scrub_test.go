package store_test

import (
	"bytes"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/efface/efface/store"
	"github.com/efface/efface/store/storetest"
)

// databaseBytes are those of efface.db and its WAL.
func databaseBytes(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	for _, name := range []string{"efface.db", "efface.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		all = append(all, b...)
	}
	return all
}

// scrubWays are both ways to scrub, whichever this build would take.
var scrubWays = map[string]func(*testing.T, *store.DB) (store.Scrubbed, error){
	"by pages": func(t *testing.T, db *store.DB) (store.Scrubbed, error) { return db.Scrub(t.Context()) },
	"whole":    func(t *testing.T, db *store.DB) (store.Scrubbed, error) { return db.ScrubWhole(t.Context()) },
}

// I2: with inserts and deletions mixed, SQLite leaves look-up fingerprints of
// the erased in gaps of its pages. No file has one after a scrub.
func TestAfterAScrubNoFileHasALookUpFingerprintOfTheErased(t *testing.T) {
	for way, scrub := range scrubWays {
		t.Run(way, func(t *testing.T) {
			d := openOnDisk(t)
			people := 200
			if os.Getenv("EFFACE_SOAK") != "" {
				people = 6000
			}
			storetest.People(t, d.DB, people)
			for i := 0; i < people; i += 2 {
				storetest.Requested(t, d.DB, "user_id", storetest.PersonID(i))
			}
			gone := d.Fingerprints(t, `SELECT l.mac FROM lookup l JOIN requests r ON r.profile = l.profile WHERE r.state = 'pending'`)
			d.clock.Advance(25 * time.Hour)
			storetest.EraseAll(t, d.DB)
			d.TruncateDatabase(t)
			traces := func() int { return countIn(databaseBytes(t, d.dir), gone) }
			var stay [][]byte
			for round := 0; round < 20 && traces() == 0; round++ {
				var went [][]byte
				went, stay = comeAndGo(t, d.dir, stay)
				gone = append(gone, went...)
				d.TruncateDatabase(t)
			}
			if traces() == 0 {
				t.Fatal("nothing is left before the scrub: this test cannot fail")
			}
			kept := d.Fingerprints(t, `SELECT mac FROM lookup`)
			before := storetest.Dump(t, storetest.Raw(t, d.dir), personal...)
			if s, err := scrub(t, d.DB); err != nil || s.Busy {
				t.Fatalf("the scrub: %+v, %v", s, err)
			}
			if n := traces(); n != 0 {
				t.Errorf("%d of %d fingerprints are left after the scrub", n, len(gone))
			}
			for path, held := range filesOf(t, d.dir) {
				if n := countIn(held, gone); n != 0 {
					t.Errorf("%d of %d fingerprints are in %s", n, len(gone), path)
				}
			}
			if after := storetest.Dump(t, storetest.Raw(t, d.dir), personal...); !slices.Equal(after, before) {
				t.Error("the scrub changed what is held")
			}
			if n := countIn(databaseBytes(t, d.dir), kept); n != len(kept) {
				t.Errorf("%d of %d fingerprints that are in use are found", n, len(kept))
			}
		})
	}
}

// comeAndGo gives the index of look-ups rows and takes most of them away again.
// It does by SQL what takes thousands of people.
func comeAndGo(t *testing.T, dir string, held [][]byte) (gone, stay [][]byte) {
	t.Helper()
	raw := storetest.Raw(t, dir)
	for range 20 {
		tx, err := raw.Begin()
		must(t, err)
		for range 1000 {
			mac := make([]byte, 16)
			crand.Read(mac)
			must(t, second(tx.Exec(`INSERT INTO lookup (key, mac, profile) VALUES (1, $1, $2)`, mac, 1_000_000+rand.IntN(100_000))))
			held = append(held, mac)
		}
		rand.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
		for _, mac := range held[:900] {
			must(t, second(tx.Exec(`DELETE FROM lookup WHERE key = 1 AND mac = $1`, mac)))
		}
		must(t, tx.Commit())
		gone, held = append(gone, held[:900]...), held[900:]
	}
	return gone, held
}

// countIn counts those of some fingerprints that are among bytes.
func countIn(all []byte, macs [][]byte) int {
	wanted, found := map[[16]byte]bool{}, map[[16]byte]bool{}
	for _, mac := range macs {
		wanted[[16]byte(mac)] = true
	}
	for at := 0; at+16 <= len(all); at++ {
		if mac := [16]byte(all[at : at+16]); wanted[mac] {
			found[mac] = true
		}
	}
	return len(found)
}

// A scrub changes no row, whatever the rows are, and of what is deleted, also
// of long values, it leaves nothing.
func TestAScrubChangesNothingThatIsInUse(t *testing.T) {
	d := openOnDisk(t)
	raw := storetest.Raw(t, d.dir)
	for _, query := range []string{
		`CREATE TABLE scratch_rows (id INTEGER PRIMARY KEY, name TEXT, value BLOB)`, `CREATE INDEX scratch_names ON scratch_rows (name)`,
		`CREATE TABLE scratch_tree (name TEXT, value BLOB, PRIMARY KEY (name)) WITHOUT ROWID`,
	} {
		must(t, second(raw.Exec(query)))
	}
	tables := []string{"scratch_rows", "scratch_tree", "log_entries", "lookup", "requests"}
	next := 0
	rapid.Check(t, func(rt *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		largest := rapid.SampledFrom([]int{0, 4, 60, 900, 4100, 30000}).Draw(rt, "largest")
		var gone []string
		held := map[int]string{}
		tx, err := raw.Begin()
		must(t, err)
		for _, table := range tables[:2] {
			must(t, second(tx.Exec(`DELETE FROM `+table)))
		}
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			if len(held) > 0 && random.IntN(3) == 0 {
				for n, name := range held {
					must(t, second(tx.Exec(`DELETE FROM scratch_rows WHERE name = $1`, name)))
					must(t, second(tx.Exec(`DELETE FROM scratch_tree WHERE name = $1`, name)))
					delete(held, n)
					gone = append(gone, name)
					break
				}
				continue
			}
			next++
			name := fmt.Sprintf("%08x<%d>", random.Uint32(), next)
			value := bytes.Repeat([]byte(name), (random.IntN(largest+1)+len(name)-1)/len(name))
			must(t, second(tx.Exec(`INSERT INTO scratch_rows (name, value) VALUES ($1, $2)`, name, value)))
			must(t, second(tx.Exec(`INSERT INTO scratch_tree (name, value) VALUES ($1, $2)`, name, value)))
			held[next] = name
		}
		must(t, tx.Commit())
		before := storetest.Dump(t, raw, tables...)
		if s, err := d.Scrub(t.Context()); err != nil || s.Busy {
			rt.Fatalf("the scrub: %+v, %v", s, err)
		}
		if after := storetest.Dump(t, raw, tables...); !slices.Equal(after, before) {
			rt.Fatal("the scrub changed rows")
		}
		var sound string
		if err := raw.QueryRow(`PRAGMA integrity_check`).Scan(&sound); err != nil || sound != "ok" {
			rt.Fatalf("the database is %q, %v", sound, err)
		}
		all := databaseBytes(t, d.dir)
		for _, name := range gone {
			if bytes.Contains(all, []byte(name)) {
				rt.Fatalf("%s is left", name)
			}
		}
	})
}

func TestAScrubWaitsForAReaderAndIsDueADayLater(t *testing.T) {
	d := openOnDisk(t)
	storetest.People(t, d.DB, 20)
	due := func(want bool) {
		t.Helper()
		if got, err := d.ScrubDue(t.Context()); err != nil || got != want {
			t.Errorf("a scrub is due: %t, %v", got, err)
		}
	}
	raw := storetest.Raw(t, d.dir)
	read, err := raw.Query(`SELECT mac FROM lookup`)
	must(t, err)
	if !read.Next() {
		t.Fatal("nobody is held")
	}
	storetest.Identify(t, d.DB, "shop", "user_id", "another")
	if s, err := d.Scrub(t.Context()); err != nil || !s.Busy {
		t.Errorf("with a reader open the scrub: %+v, %v", s, err)
	}
	due(true)
	must(t, read.Close())
	if s, err := d.Scrub(t.Context()); err != nil || s.Busy {
		t.Errorf("the scrub: %+v, %v", s, err)
	}
	due(false)
	d.clock.Advance(22 * time.Hour)
	due(true)
}

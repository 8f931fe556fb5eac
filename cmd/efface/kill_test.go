package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/efface/efface/store/storetest"
)

const (
	killWindow = 300 * time.Millisecond
	newComers  = 700  // people that each cycle's import brings, in two commits
	keptPeople = 40   // whom nobody asks to erase
	manyEvents = 3000 // each a record and a message: more rows than one commit deletes
)

// I3, I4, I5, I6, I7: killed at any instant of imports, requests, cancels and
// erasures, the program loses no request that it acknowledged, erases nobody
// early, twice, by half or after a cancel, and its log fits. The next start
// resumes by itself.
func TestKilledAtAnyInstantNothingIsLostOrErasedWrongly(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	kept := s.crowd(keptPeople, 0)
	s.imported(s.launch(strings.NewReader(csvOf(kept)), "import", "-"), keptPeople)
	cycles := storetest.Scale(t, 200)
	d := &driver{scene: s, unasked: s.crowd(30*cycles, 0), large: s.crowd(cycles/5, 0)}
	d.people = append(append(d.people, d.unasked...), d.large...)
	s.imported(s.launch(strings.NewReader(csvOf(d.people)), "import", "-"), len(d.people))
	for _, p := range d.large {
		s.imported(s.launch(strings.NewReader(p.events(manyEvents)), "import", "-"), manyEvents)
	}
	for n := range cycles {
		if n%5 == 0 {
			d.soon = append(d.soon, d.large[n/5])
		}
		t.Run(fmt.Sprint("cycle ", n), d.cycle)
		if t.Failed() {
			return
		}
	}
	s.serve(killWindow.String())
	storetest.Eventually(t, "the next start ends everything by itself", func() bool { return s.count(openRequests) == 0 })
	d.check(t, true)
	erased := d.checkRows(t)
	large := d.count(`SELECT COUNT(*) FROM requests WHERE state = 'completed' AND records >= ` + fmt.Sprint(manyEvents))
	for _, p := range kept {
		a := want(t, http.StatusOK, "a find")(s.api("POST", "/api/v1/profiles/find", map[string]string{"key": "email", "value": p.email}))
		if !strings.Contains(a.body, p.userID) {
			t.Errorf("somebody whom nobody asked to erase is gone: %s", a.body)
		}
	}
	s.stop()
	storetest.CheckLog(t, s.data)
	storetest.CheckWitness(t, s.data)
	d.checkImports(t, keptPeople)
	if len(d.asked) < cycles || erased == 0 || d.cancels == 0 || large == 0 {
		t.Errorf("too little was done: %d requests, %d cancels, %d erased, %d of them in several commits", len(d.asked), d.cancels, erased, large)
	}
	t.Logf("%d kills, %d of them while the server started, %d requests acknowledged, %d cancels, %d erased, %d of them in several commits, %d imports cut off",
		cycles, d.startKills, len(d.asked), d.cancels, erased, large, d.cutImports)
}

// driver makes requests and cancels, and remembers what was acknowledged.
type driver struct {
	*scene
	people   []somebody
	arriving []somebody // whom no import was done with
	unasked  []somebody // whom no request was sent for
	large    []somebody // with many events
	soon     []somebody // those of them whom the next cycle asks for first
	enough   int        // how many more to ask for in this cycle
	asked    []*asked

	startKills, cancels, cutImports int
}

// cycle runs a server and an import and kills both at a random moment.
func (d *driver) cycle(t *testing.T) {
	whole := d.t
	defer func() { d.t = whole }()
	d.t = t
	arrivals := d.crowd(newComers, 0)
	d.people, d.unasked = append(d.people, arrivals...), append(d.unasked, arrivals...)
	d.arriving = append(d.arriving, arrivals...)
	d.enough = 100
	im := d.launch(strings.NewReader(csvOf(d.arriving)), "import", "-")
	d.server = d.launch(nil, "serve", "--listen", "127.0.0.1:0", "--cancel-window", killWindow.String())
	if rand.IntN(6) == 0 { // while it starts
		await(d.server, time.After(rand.N(150*time.Millisecond)))
		d.startKills++
	} else {
		d.base = d.server.mustListen(t)
		d.check(t, false)
		d.work(func() { // from the first answer on, so that a slow machine has done something too
			await(d.server, time.After(rand.N(700*time.Millisecond)))
			_ = d.server.Process.Kill()
		})
	}
	d.server.kill()
	im.kill()
	if im.ProcessState.ExitCode() == 0 {
		d.arriving = nil
	} else {
		d.cutImports++ // the next cycle runs it again, or the last import
		d.arriving = d.arriving[max(0, len(d.arriving)-2*newComers):]
	}
	storetest.CheckLog(t, d.data)
	storetest.CheckWitnessedLog(t, d.data, false)
}

// await waits for a moment, or for the process to end by itself.
func await(p *process, moment <-chan time.Time) {
	select {
	case <-moment:
	case <-p.ended:
	}
}

// stop ends the server as its user would.
func (s *scene) stop() {
	s.t.Helper()
	if err := s.server.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if code := s.server.code(); code != 0 {
		s.t.Errorf("the server ended with %d: %s", code, s.server.stderr)
	}
}

func csvOf(people []somebody) string {
	var b strings.Builder
	b.WriteString(csvColumns)
	for _, p := range people {
		b.WriteString(p.csv())
	}
	return b.String()
}

// checkRows reads all that is left when nothing is open: nothing of those who
// were erased, all of those who were not, and no key of the former.
func (d *driver) checkRows(t *testing.T) (erased int) {
	t.Helper()
	for what, query := range map[string]string{
		"profiles still marked as being erased":           `SELECT COUNT(*) FROM claimed`,
		"profiles of completed requests":                  `SELECT COUNT(*) FROM profiles p JOIN requests r ON r.efface_id = p.efface_id WHERE r.state = 'completed'`,
		"keys listed to be destroyed":                     `SELECT COUNT(*) FROM erasure_keys`,
		"fragments of nobody":                             `SELECT COUNT(*) FROM fragments WHERE profile NOT IN (SELECT id FROM profiles)`,
		"look-ups that lead to nobody":                    `SELECT COUNT(*) FROM lookup WHERE profile NOT IN (SELECT id FROM profiles)`,
		"records of no fragment":                          `SELECT COUNT(*) FROM records WHERE fragment NOT IN (SELECT id FROM fragments)`,
		"identifiers of no fragment":                      `SELECT COUNT(*) FROM identifiers WHERE fragment NOT IN (SELECT id FROM fragments)`,
		"traits of no fragment":                           `SELECT COUNT(*) FROM traits WHERE fragment NOT IN (SELECT id FROM fragments)`,
		"messages of no fragment":                         `SELECT COUNT(*) FROM messages WHERE fragment NOT IN (SELECT id FROM fragments)`,
		"profiles without a fragment":                     `SELECT COUNT(*) FROM profiles WHERE id NOT IN (SELECT profile FROM fragments)`,
		"profiles without their three identifiers":        `SELECT COUNT(*) FROM profiles p WHERE (SELECT COUNT(*) FROM lookup WHERE profile = p.id) <> 3`,
		"requests claimed before their window had passed": `SELECT COUNT(*) FROM requests WHERE started_at > 0 AND started_at < cancel_before - 2`, // two roundings to milliseconds
		"cancelled requests that were begun":              `SELECT COUNT(*) FROM requests WHERE state = 'cancelled' AND (started_at > 0 OR keys_destroyed_at > 0)`,
		"cancelled requests whose profile is gone": `SELECT COUNT(*) FROM requests r WHERE state = 'cancelled' AND efface_id NOT IN (SELECT efface_id FROM profiles)
			AND NOT EXISTS (SELECT 1 FROM requests c WHERE c.efface_id = r.efface_id AND c.state = 'completed')`,
	} {
		if n := d.count(query); n != 0 {
			t.Errorf("%d %s are left", n, what)
		}
	}
	d.checkKeys(t)
	return d.count(`SELECT COUNT(*) FROM requests WHERE state = 'completed'`)
}

// checkKeys compares the keyring with what the log says was destroyed and with
// what the fragments need.
func (d *driver) checkKeys(t *testing.T) {
	t.Helper()
	live := map[string]bool{} // by key id
	for _, k := range d.keyring() {
		live[hex.EncodeToString(k[:16])] = len(bytes.Trim(k[16:], "\x00")) > 0
	}
	destroyed := map[string]bool{}
	for _, e := range storetest.CheckLog(t, d.data) {
		for _, id := range e.Keys {
			if destroyed[id] {
				t.Errorf("entry %d says that a key was destroyed that had been destroyed before", e.Index)
			}
			if is, known := live[id]; !known || is {
				t.Errorf("entry %d says that a key was destroyed that is live: %v", e.Index, is)
			}
			destroyed[id] = true
		}
	}
	d.read("efface.db", `SELECT key_id FROM fragments UNION ALL SELECT key_id FROM requests WHERE key_id IS NOT NULL`, func(scan func(...any) error) error {
		var id []byte
		err := scan(&id)
		if !live[hex.EncodeToString(id)] {
			t.Error("a key is destroyed of what is still held")
		}
		return err
	})
}

// checkImports runs every import again, to its end: each person then is there
// once, whatever was cut off.
func (d *driver) checkImports(t *testing.T, more int) {
	t.Helper()
	im := d.launch(strings.NewReader(csvOf(d.people)), "import", "-")
	if code := im.code(); code != 0 || !strings.Contains(im.stderr.String(), " 0 suppressed, 0 refused") {
		t.Errorf("the last import ended with %d: %s", code, im.stderr)
	}
	everybody := len(d.people) + more
	for _, query := range []string{`SELECT COUNT(*) FROM profiles`, `SELECT COUNT(*) FROM fragments`, `SELECT COUNT(*) / 3 FROM lookup`} {
		if n := d.count(query); n != everybody {
			t.Errorf("after the imports %s gives %d, not %d", query, n, everybody)
		}
	}
	var result string
	for _, file := range []string{"efface.db", "keyring.db"} {
		d.read(file, `PRAGMA integrity_check`, func(scan func(...any) error) error { return scan(&result) })
		if result != "ok" {
			t.Errorf("%s: %s", file, result)
		}
	}
}

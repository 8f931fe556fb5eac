package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/efface/efface/store/seal"
)

// scene is a store that a server serves, with what was planted in it.
type scene struct {
	*visitor // a script with every scope of Efface's own API and of ingest, CustomerLabs', CleverTap's and June's
	t        *testing.T
	data     string
	keys     string // the directory of the keyring and the master key
	temp     string // the temporary directory of every process
	planted  *planted
	server   *process // nil while none runs
}

// inTheClear is the name of a source: what a store may show, for the search
// to find.
const inTheClear = "source-that-may-be-seen"

const accountID = "W1" // of the script's key

func newScene(t *testing.T) *scene {
	t.Helper()
	data := newStore(t)
	s := &scene{t: t, data: data, temp: filepath.Join(filepath.Dir(data), "temp"), planted: newPlanted()}
	s.keys = s.data
	if err := os.Mkdir(s.temp, 0o700); err != nil {
		t.Fatal(err)
	}
	key := s.command("", "key", "create", "--name", "script", "--scope", "customerlabs,clevertap,june,deletions:write,deletions:read,profiles:read,ingest",
		"--account-id", accountID)
	s.visitor = newVisitor(t, "", strings.TrimSpace(key.stdout))
	return s
}

// keysElsewhere moves the keyring and the master key out of the data
// directory, while no server runs. A command that is not told where to is
// refused, and makes no others.
func (s *scene) keysElsewhere() {
	s.t.Helper()
	before := s.keys
	s.keys = filepath.Join(filepath.Dir(s.data), "keys")
	if err := os.Mkdir(s.keys, 0o700); err != nil {
		s.t.Fatal(err)
	}
	for _, file := range []string{"keyring.db", "keyring.db-wal", "master.key"} {
		err := os.Rename(filepath.Join(before, file), filepath.Join(s.keys, file))
		if err != nil && !(errors.Is(err, fs.ErrNotExist) && file == "keyring.db-wal") {
			s.t.Fatal(err)
		}
	}
	efface(s.t, "", "key", "list", "--data", s.data).refused(s.t, "There is no master key at")
	efface(s.t, "", "key", "list", "--data", s.data, "--master-key", s.masterKey()).refused(s.t, "The keyring")
}

func (s *scene) masterKey() string { return filepath.Join(s.keys, "master.key") }

// onStore says which store a command works on.
func (s *scene) onStore(args []string) []string {
	args = append(args, "--data", s.data)
	if s.keys != s.data {
		args = append(args, "--keyring", s.path("keyring.db"), "--master-key", s.masterKey())
	}
	return args
}

func (s *scene) launch(stdin io.Reader, args ...string) *process {
	s.t.Helper()
	return launch(s.t, stdin, []string{"TMPDIR=" + s.temp, "EFFACE_PHONE_REGION=AT"}, s.onStore(args)...)
}

// command runs one that has to succeed, beside the server where one runs.
func (s *scene) command(stdin string, args ...string) ended {
	s.t.Helper()
	e := efface(s.t, stdin, s.onStore(args)...)
	if e.code != 0 {
		s.t.Fatalf("efface %s ended with %d: %s", strings.Join(args, " "), e.code, e.stderr)
	}
	return e
}

// path is where one of the two databases is.
func (s *scene) path(file string) string {
	if file == "keyring.db" {
		return filepath.Join(s.keys, file)
	}
	return filepath.Join(s.data, file)
}

// serve starts the server, with further flags.
func (s *scene) serve(window string, flags ...string) {
	s.t.Helper()
	s.server = s.launch(nil, append([]string{"serve", "--listen", "127.0.0.1:0", "--cancel-window", window}, flags...)...)
	s.base = s.server.mustListen(s.t)
}

// kill ends the server as kill -9 does.
func (s *scene) kill() {
	s.server.kill()
	s.server = nil
}

// look searches every file and every descriptor of the server and of other
// processes, and what they printed.
func (s *scene) look(when string, others ...*process) {
	s.t.Helper()
	if s.server != nil {
		others = append(others, s.server)
	}
	s.search(s.planted, others).report(s.t, when)
	if len(s.search(newPlanted(inTheClear), others)) == 0 {
		s.t.Errorf("%s: the search does not find what is in the clear", when)
	}
}

func (s *scene) search(p *planted, processes []*process) sightings {
	s.t.Helper()
	dirs := []string{s.data, s.temp}
	if s.keys != s.data {
		dirs = append(dirs, s.keys)
	}
	found := p.inFiles(s.t, dirs...)
	for _, other := range processes {
		found.merge(p.behind(s.t, other.Process.Pid))
		found.merge(p.inPrint(other))
	}
	return found
}

// read runs one statement beside the server.
func (s *scene) read(file, query string, each func(scan func(...any) error) error) {
	s.t.Helper()
	db, err := sql.Open(seal.Driver, seal.DSN(s.path(file), seal.DSNOptions{QueryOnly: true}))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			s.t.Fatalf("%s: %v", query, err)
		}
	}
	if err := rows.Err(); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
}

// count runs a statement that counts.
func (s *scene) count(query string) (n int) {
	s.t.Helper()
	s.read("efface.db", query, func(scan func(...any) error) error { return scan(&n) })
	return n
}

const openRequests = `SELECT COUNT(*) FROM requests WHERE state IN ('pending', 'in_progress', 'failed')`

// somebody is a made person whose every value is random.
type somebody struct {
	userID, anonymous, email, phone, typedPhone, name, city, trait, bought string
}

func newSomebody() somebody {
	r := func() string { return fmt.Sprintf("%012x", rand.Uint64()>>16) }
	n := fmt.Sprintf("%07d", rand.IntN(10_000_000))
	return somebody{
		userID: "uid-" + r(), anonymous: "Anon-" + r(), email: "Änne." + r() + "@Example.org", phone: "+43660" + n, typedPhone: "0660 " + n,
		name: "Jürgen " + r(), city: "Unter" + r() + "dorf", trait: "likes" + r(), bought: "Order/" + r(),
	}
}

// values are all that no file may show.
func (p somebody) values() []string {
	return []string{p.userID, p.anonymous, p.email, p.phone, p.typedPhone, p.name, p.city, p.trait, p.bought}
}

const csvColumns = "user_id,email,phone,name,city\n"

func (p somebody) csv() string {
	return fmt.Sprintf("%s,%s,%s,%s,%s\n", p.userID, p.email, p.typedPhone, p.name, p.city)
}

// calls are the same person as Segment-spec calls.
func (p somebody) calls() string {
	return fmt.Sprintf(`{"type":"identify","messageId":%q,"userId":%q,"anonymousId":%q,"traits":{"email":%q,"phone":%q,"name":%q,%q:%q}}
{"type":"track","messageId":%q,"userId":%q,"event":"Bought","properties":{"order":%q,"to":%q}}
`, "m1-"+p.email, p.userID, p.anonymous, p.email, p.phone, p.name, p.trait, p.city, "m2-"+p.email, p.userID, p.bought, p.city)
}

// events are n calls about the same person, who is known already.
func (p somebody) events(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"type":"track","messageId":"seen %d %s","userId":%q,"event":"Seen"}`+"\n", i, p.userID, p.userID)
	}
	return b.String()
}

// crowd makes people and plants every value of the first ones. The others
// only fill the files.
func (s *scene) crowd(n, plant int) []somebody {
	people := make([]somebody, n)
	for i := range people {
		people[i] = newSomebody()
		if i < plant {
			s.planted.add(people[i].values()...)
		}
	}
	return people
}

// plant makes up a value that no file may show.
func (s *scene) plant(prefix string) string {
	v := fmt.Sprintf("%s%012x", prefix, rand.Uint64()>>16)
	s.planted.add(v)
	return v
}

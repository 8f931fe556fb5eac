package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/efface/efface/store/seal"
)

// bareAtOnce is how many events share a commit, as many as eight connections
// with a hundred each bring.
const bareAtOnce = 800

// What a record and the traits of an [Event] are before they are sealed.
const (
	bareRecord = `{"type":"track","event":"Order completed","properties":{"order":"o-0123456789abcdef","total":19.98,"currency":"EUR"},"timestamp":"2026-01-31T12:00:00.000Z","context":{"library":{"name":"analytics-go","version":"3.0.0"}}}`
	bareTraits = `{"email":"person.123456@example.com","logins":12,"name":"Person 123456","plan":"gold"}`
)

// Event writes a Segment-spec call about a random one of the first so many of
// [People]: every tenth identifies, the others are what they did.
func Event(random *rand.Rand, i, people int) string {
	person, message := random.IntN(people), random.Uint64()
	about := fmt.Sprintf(`"messageId":"m-%016x","userId":%q,"timestamp":"2026-01-31T12:00:00.000Z","context":{"library":{"name":"analytics-go","version":"3.0.0"}}`,
		message, PersonID(person))
	if i%10 == 0 {
		return fmt.Sprintf(`{"type":"identify",%s,"traits":{"email":%q,"name":"Person %d","plan":"gold","logins":%d}}`,
			about, PersonEmail(person), person, message%100)
	}
	return fmt.Sprintf(`{"type":"track",%s,"event":"Order completed","properties":{"order":"o-%x","total":19.98,"currency":"EUR"}}`, about, message)
}

// Bare writes by SQL alone the rows of [Event]s about the second half of
// [People]: a sealed record or, for one in ten, sealed traits, the digest of
// the message id and the fragment's new counts. It looks nobody up. Benchmarks
// compare with it what the store does beside writing; what it wrote cannot be
// opened.
func Bare(t testing.TB, dir string, people, events int) (took time.Duration) {
	t.Helper()
	m, err := seal.CreateMaster(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.OpenKeyring(filepath.Join(t.TempDir(), "keyring.db"), m, [16]byte{})
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close()
	keys, err := ring.Make(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := seal.OpenPool(filepath.Join(dir, "efface.db"), seal.DSNOptions{CacheKiB: 8 << 10}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b := bare{t: t, ctx: t.Context(), conn: conn, key: keys[0], people: people}
	b.prepare()
	began := time.Now()
	for written := 0; written < events; written += bareAtOnce {
		b.commit(min(bareAtOnce, events-written))
	}
	return time.Since(began)
}

type bare struct {
	t      testing.TB
	ctx    context.Context
	conn   *sql.Conn
	key    seal.Key
	people int

	addRecord, addMessage, setTraits, count *sql.Stmt
}

func (b *bare) prepare() {
	for _, s := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&b.addRecord, `INSERT INTO records (fragment, n, at, sealed) VALUES ($1, $2, $3, $4)`},
		{&b.addMessage, `INSERT INTO messages (fragment, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING`},
		{&b.setTraits, `INSERT INTO traits (fragment, sealed) VALUES ($1, $2) ON CONFLICT (fragment) DO UPDATE SET sealed = excluded.sealed`},
		{&b.count, `UPDATE fragments SET identifiers = $1, traits = $2, records = $3, years = $4, last_at = $5 WHERE id = $6`},
	} {
		var err error
		if *s.stmt, err = b.conn.PrepareContext(b.ctx, s.query); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bare) commit(events int) {
	b.exec(b.conn.ExecContext(b.ctx, "BEGIN IMMEDIATE"))
	for i := range events {
		fragment := 1 + b.people/2 + rand.IntN(b.people/2)
		n := rand.Int64()
		var digest [16]byte
		for i := range digest {
			digest[i] = byte(rand.Uint32())
		}
		b.exec(b.addMessage.Exec(fragment, digest[:]))
		traits := 0
		if i%10 > 0 {
			b.exec(b.addRecord.Exec(fragment, n, 0, b.key.Seal([]byte(bareRecord), seal.AD{Table: "records", Column: "sealed", N: n})))
		} else {
			traits = 4
			b.exec(b.setTraits.Exec(fragment, b.key.Seal([]byte(bareTraits), seal.AD{Table: "traits", Column: "sealed"})))
		}
		b.exec(b.count.Exec(5, traits, 1, `{"2026":1}`, n, fragment))
	}
	b.exec(b.conn.ExecContext(b.ctx, "COMMIT"))
}

func (b *bare) exec(_ sql.Result, err error) {
	if err != nil {
		b.t.Fatal(err)
	}
}

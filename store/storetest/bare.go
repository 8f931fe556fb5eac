package storetest

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/efface/efface/store/seal"
)

// bareAtOnce is how many events share a commit, as many as eight connections
// with a hundred each bring.
const bareAtOnce = 800

// Bare writes by SQL alone the rows of events of random ones of the second half
// of [People]: a sealed record or, for one in ten, sealed traits, the digest of
// the message id and the fragment's new counts. It looks nobody up. Benchmarks
// compare with it what the store does beside writing; what it wrote cannot be
// opened.
func Bare(t testing.TB, dir string, people, events int, record, traits []byte) (took time.Duration) {
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
	b := bare{t: t, ctx: t.Context(), conn: conn, key: keys[0], people: people, record: record, traits: traits}
	b.prepare()
	began := time.Now()
	for written := 0; written < events; written += bareAtOnce {
		b.commit(min(bareAtOnce, events-written))
	}
	return time.Since(began)
}

type bare struct {
	t              testing.TB
	ctx            context.Context
	conn           *sql.Conn
	key            seal.Key
	people         int
	record, traits []byte

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
			b.exec(b.addRecord.Exec(fragment, n, 0, b.key.Seal(b.record, seal.AD{Table: "records", Column: "sealed", N: n})))
		} else {
			traits = 4
			b.exec(b.setTraits.Exec(fragment, b.key.Seal(b.traits, seal.AD{Table: "traits", Column: "sealed"})))
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

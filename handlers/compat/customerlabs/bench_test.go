package customerlabs_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

const (
	connections = 64
	stride      = 7919 // a prime, so that each person comes once
)

// BenchmarkUserDeletion measures durable intakes over HTTP into a store of
// many, one commit for several, beside the same with a transaction each.
func BenchmarkUserDeletion(b *testing.B) {
	in := &intake{dir: filepath.Join(b.TempDir(), "data"), people: storetest.Scale(b, 1_000_000)}
	db := in.open(b, 0)
	storetest.People(b, db, in.people)
	var err error
	in.key, _, err = db.CreateKey(b.Context(), erasure.System, store.NewKey{Name: "bench", Scopes: []erasure.Scope{erasure.ScopeCustomerLabs}})
	if err = errors.Join(err, db.Close()); err != nil {
		b.Fatal(err)
	}
	unix.Sync() // else the system writes what was built beside the first of the two
	b.Run("shared-commits", func(b *testing.B) { in.bench(b, 0) })
	b.Run("one-transaction-each", func(b *testing.B) { in.bench(b, 1) })
}

// intake is a store of people, each of whom is asked for once.
type intake struct {
	dir    string
	people int
	key    string
	asked  int // people asked for in the runs before
}

func (in *intake) open(b *testing.B, commitLimit int) *store.DB {
	b.Helper()
	db, err := store.Open(b.Context(), store.Options{Dir: in.dir, CommitLimit: commitLimit})
	if err == nil {
		_, err = db.FixRegion(b.Context(), "DE") // as every server does
	}
	if err != nil {
		b.Fatal(err)
	}
	return db
}

func (in *intake) bench(b *testing.B, commitLimit int) {
	first := in.asked
	in.asked += b.N
	if in.asked > in.people {
		b.Fatalf("%d people are too few", in.people)
	}
	db := in.open(b, commitLimit)
	defer db.Close()
	address, stop := serve(b, db)
	defer stop()
	var next atomic.Int64
	var clients sync.WaitGroup
	failed := make(chan error, connections)
	b.ResetTimer()
	for range connections {
		clients.Go(func() {
			failed <- in.ask(address, func() (person int, more bool) {
				n := int(next.Add(1) - 1)
				// Spread over the whole store: neighbours share pages.
				return (first + n) * stride % in.people, n < b.N
			})
		})
	}
	clients.Wait()
	b.StopTimer()
	for range connections {
		if err := <-failed; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

func serve(b *testing.B, db *store.DB) (address string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address = l.Addr().String()
	s, err := handlers.New(db, handlers.Config{BaseURL: "http://" + address, CancelWindow: 24 * time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	front := s.HTTPServer()
	served := make(chan error, 1)
	go func() { served <- front.Serve(l) }()
	return address, func() {
		_ = front.Close()
		<-served
	}
}

// ask sends requests over one connection and reads each answer before the
// next. It is leaner than an [http.Client], which takes more of the machine
// than the server does.
func (in *intake) ask(address string, next func() (person int, more bool)) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	answers := bufio.NewReader(c)
	for person, more := next(); more; person, more = next() {
		body := `{"identify_by_key":"email","identify_by_value":"` + storetest.PersonEmail(person) + `"}`
		_, err := fmt.Fprintf(c, "POST /user-deletion/ HTTP/1.1\r\nHost: %s\r\nX-API-Key: %s\r\nContent-Length: %d\r\n\r\n%s", address, in.key, len(body), body)
		if err != nil {
			return err
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || !bytes.HasPrefix(text, []byte(`{"success": true`)) {
			return fmt.Errorf("person %d: %s %s, %w", person, answer.Status, text, err)
		}
	}
	return nil
}

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
// many: in each iteration 20,000 (of 1,000,000 people) that share commits, then
// as many with a transaction each, so that both meet the disk in one mood. It
// reports the medians.
func BenchmarkUserDeletion(b *testing.B) {
	in := &intake{dir: filepath.Join(b.TempDir(), "data"), people: storetest.Scale(b, 1_000_000)}
	db := in.open(b, 0)
	storetest.People(b, db, in.people)
	var err error
	in.key, _, err = db.CreateKey(b.Context(), erasure.System, store.NewKey{Name: "bench", Scopes: []erasure.Scope{erasure.ScopeCustomerLabs}})
	if err = errors.Join(err, db.Close()); err != nil {
		b.Fatal(err)
	}
	unix.Sync() // else the system writes what was built beside the first of them
	var shared, each, ratios []float64
	for b.Loop() {
		s, e := in.perSecond(b, 0), in.perSecond(b, 1)
		shared, each, ratios = append(shared, s), append(each, e), append(ratios, s/e)
	}
	b.ReportMetric(storetest.Median(shared), "shared/s")
	b.ReportMetric(storetest.Median(each), "each/s")
	b.ReportMetric(storetest.Median(ratios), "ratio")
}

// intake is a store of people, each of whom is asked for once.
type intake struct {
	dir    string
	people int
	key    string
	asked  int // people asked for before

	witness   string // its directory
	noWitness bool
}

func (in *intake) open(b *testing.B, commitLimit int) *store.DB {
	b.Helper()
	db, err := store.Open(b.Context(), store.Options{Dir: in.dir, CommitLimit: commitLimit,
		Witness: in.witness, NewWitness: in.witness != "", NoWitness: in.noWitness})
	if err == nil {
		_, err = db.FixRegion(b.Context(), "DE") // as every server does
	}
	if err != nil {
		b.Fatal(err)
	}
	return db
}

// perSecond asks for a fiftieth of the people.
func (in *intake) perSecond(b *testing.B, commitLimit int) float64 {
	b.Helper()
	first, all := in.asked, in.people/50
	in.asked += all
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
	start := time.Now()
	for range connections {
		clients.Go(func() {
			failed <- in.ask(address, func() (person int, more bool) {
				n := int(next.Add(1) - 1)
				// Spread over the whole store: neighbours share pages.
				return (first + n) * stride % in.people, n < all
			})
		})
	}
	clients.Wait()
	took := time.Since(start)
	for range connections {
		if err := <-failed; err != nil {
			b.Fatal(err)
		}
	}
	return float64(all) / took.Seconds()
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

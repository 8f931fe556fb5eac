package segment_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/storetest"
)

const (
	connections = 8
	inBatch     = 100
)

// BenchmarkIngest measures durable events over HTTP, a hundred to a batch, for
// random ones of half of 1,000,000 people, told by the source that told of them before,
// and by turns with it the same rows of the other half by SQL alone. It reports the medians.
func BenchmarkIngest(b *testing.B) {
	people := storetest.Scale(b, 1_000_000)
	dir := filepath.Join(b.TempDir(), "data")
	db, err := store.Open(b.Context(), store.Options{Dir: dir})
	if err == nil {
		_, err = db.FixRegion(b.Context(), "DE") // as every server does
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	storetest.People(b, db, people)
	key, _, err := db.CreateKey(b.Context(), erasure.System, store.NewKey{Name: "people", Scopes: []erasure.Scope{erasure.ScopeIngest}})
	if err != nil {
		b.Fatal(err)
	}
	unix.Sync() // else the system writes what was built beside the first of them
	address := serve(b, db)
	random := rand.New(rand.NewPCG(1, 2))
	var perSecond, bare, ratio []float64
	for b.Loop() {
		b.StopTimer()
		each := people / 50 / connections / inBatch
		requests := make([][]byte, connections*each)
		for i := range requests {
			requests[i] = batchOf(random, people/2, address, key)
		}
		b.StartTimer()
		start := time.Now()
		sendAll(b, address, slices.Collect(slices.Chunk(requests, each)))
		took := time.Since(start)
		b.StopTimer()
		unix.Sync()
		alone := storetest.Bare(b, dir, people, len(requests)*inBatch)
		unix.Sync()
		b.StartTimer()
		events := float64(len(requests) * inBatch)
		perSecond, bare, ratio = append(perSecond, events/took.Seconds()), append(bare, events/alone.Seconds()), append(ratio, alone.Seconds()/took.Seconds())
	}
	b.ReportMetric(storetest.Median(perSecond), "events/s")
	b.ReportMetric(storetest.Median(bare), "bare-events/s")
	b.ReportMetric(storetest.Median(ratio), "of-bare")
}

// sendAll sends each connection's requests, which all are stored.
func sendAll(b *testing.B, address string, of [][][]byte) {
	b.Helper()
	var clients sync.WaitGroup
	failed := make([]error, len(of))
	for i, requests := range of {
		clients.Go(func() { failed[i] = send(address, requests) })
	}
	clients.Wait()
	if err := errors.Join(failed...); err != nil {
		b.Fatal(err)
	}
}

// batchOf writes a request about random people.
func batchOf(random *rand.Rand, people int, address, key string) []byte {
	events := make([]string, inBatch)
	for i := range events {
		events[i] = storetest.Event(random, i, people)
	}
	body := `{"batch":[` + strings.Join(events, ",") + `],"sentAt":"2026-01-31T12:00:01.000Z"}`
	head := fmt.Sprintf("POST /v1/batch HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		address, key, len(body))
	return []byte(head + body)
}

func serve(b *testing.B, db *store.DB) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address = l.Addr().String()
	s, err := handlers.New(db, handlers.Config{BaseURL: "http://" + address})
	if err != nil {
		b.Fatal(err)
	}
	front := s.HTTPServer()
	served := make(chan error, 1)
	go func() { served <- front.Serve(l) }()
	b.Cleanup(func() {
		_ = front.Close()
		<-served
	})
	return address
}

// send sends requests over one connection and reads each answer before the
// next. It is leaner than an [http.Client], which would take of the server's
// part of the machine.
func send(address string, requests [][]byte) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	answers := bufio.NewReader(c)
	for _, request := range requests {
		if _, err := c.Write(request); err != nil {
			return err
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || string(text) != `{"success": true}` {
			return fmt.Errorf("answered %s %s, %v", answer.Status, text, err)
		}
	}
	return nil
}

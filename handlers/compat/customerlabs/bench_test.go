package customerlabs_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	url, stop := serve(b, db)
	defer stop()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	var next, failed atomic.Int64
	var clients sync.WaitGroup
	b.ResetTimer()
	for range connections {
		clients.Go(func() {
			for n := next.Add(1) - 1; n < int64(b.N); n = next.Add(1) - 1 {
				// Spread over the whole store: neighbours share pages.
				person := (first + int(n)) * stride % in.people
				if !ask(client, url, in.key, storetest.PersonEmail(person)) {
					failed.Add(1)
				}
			}
		})
	}
	clients.Wait()
	b.StopTimer()
	if failed.Load() > 0 {
		b.Fatalf("%d of %d requests were not taken", failed.Load(), b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

func serve(b *testing.B, db *store.DB) (url string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	url = "http://" + l.Addr().String()
	s, err := handlers.New(db, handlers.Config{BaseURL: url, CancelWindow: 24 * time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	front := s.HTTPServer()
	served := make(chan error, 1)
	go func() { served <- front.Serve(l) }()
	return url, func() {
		_ = front.Close()
		<-served
	}
}

func ask(client *http.Client, url, token, email string) bool {
	r, err := http.NewRequest(http.MethodPost, url+"/user-deletion/",
		bytes.NewReader([]byte(`{"identify_by_key":"email","identify_by_value":"`+email+`"}`)))
	if err != nil {
		return false
	}
	r.Header.Set("X-API-Key", token)
	a, err := client.Do(r)
	if err != nil {
		return false
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	return err == nil && a.StatusCode == http.StatusOK && bytes.HasPrefix(text, []byte(`{"success": true`))
}
